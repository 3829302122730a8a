// Where requests may spill over to that would cost nothing at this account: it passes Claude Code's own sign-in on, or a
// plan includes its use. Whoever chooses here is told that it may cost money.
import { useState } from "react";
import { useAccounts, useProviders } from "../../api/queries.ts";
import type { Account } from "../../api/types.ts";
import { Choice } from "../../parts/Field.tsx";
import { exactTime } from "../../words/times.ts";
import { spillIn } from "./filled.ts";

export function SpillField({ account }: { account: Account }) {
  const { data: accounts = [] } = useAccounts();
  const { data: providers = [] } = useProviders();
  const before = spillIn(account);
  const [word, setWord] = useState(before.word);
  const hasKey = (id: string) => providers.find((each) => each.id === id)?.credential === "key";
  const since = account.spill?.all ? ` Allowed ${exactTime(account.spill.all)}.` : "";
  const allowed = (id: number) => account.spill?.accounts.find((path) => path.id === id)?.allowed_at;
  return (
    <>
      <Choice
        label="When it is spent, spill over to" name="spill" value={word} onChange={(event) => setWord(event.target.value)}
        hint={`This may cost money: accounts with a key are mostly billed by use.${since}`}
      >
        <option value="none">Nobody that is billed by use: the request is refused until the reset</option>
        <option value="some">These accounts</option>
        <option value="all">Every account, later ones too</option>
      </Choice>
      {word === "some" && (
        <fieldset className="mb-3 max-h-28 overflow-y-auto">
          <legend className="sr-only">Accounts to spill over to</legend>
          {accounts.filter(({ id, provider }) => id !== account.id && hasKey(provider)).map(({ id, name }) => (
            <label key={id} className="flex items-baseline gap-2">
              <input type="checkbox" name="spill_ids" value={id} defaultChecked={before.ids.includes(id)} className="accent-accent" />
              <span>{name}{allowed(id) && <span className="text-soft"> since {exactTime(allowed(id))}</span>}</span>
            </label>
          ))}
        </fieldset>
      )}
    </>
  );
}
