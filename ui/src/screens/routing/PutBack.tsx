// What was just removed, what that came to, and the way back.
import { usePutBack, type Removed } from "../../api/plan.ts";
import type { Account } from "../../api/types.ts";
import { Button } from "../../parts/Button.tsx";
import { removedWords } from "./words.ts";

/** Only what is fresh takes the focus: whoever comes back to the screen came for something else. */
type Props = { removed: Removed; isFresh: boolean; accounts: Account[]; onClose: () => void };

export function PutBack({ removed, isFresh, accounts, onClose }: Props) {
  const back = usePutBack();
  const [what, ...came] = removedWords(removed, accounts);
  const putBack = () => void back.run({ removed, there: accounts.map(({ id }) => id) }).then((done) => done && onClose());
  return (
    <div className="mb-6 flex items-start gap-4 border-l-2 border-accent bg-surface py-2 pr-2 pl-3">
      <div role="status" className="min-w-0 flex-1">
        <p className="font-medium">{what}</p>
        {came.map((line) => <p key={line} className="text-soft">{line}</p>)}
        {back.problem && <p role="alert" className="text-bad">{back.problem}</p>}
      </div>
      <Button autoFocus={isFresh} disabled={back.busy} onClick={putBack}>Put it back</Button>
      <Button kind="text" aria-label="Leave it so" className="mx-0" onClick={onClose}>×</Button>
    </div>
  );
}
