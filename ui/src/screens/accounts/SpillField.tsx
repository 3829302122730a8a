// Where requests that came with Claude Code's own sign-in may spill over to. Whoever chooses here is told that it
// may cost money.
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
  const since = account.spill ? ` Allowed ${exactTime(account.spill.allowed_at)}.` : "";
  return (
    <>
      <Choice
        label="When the sign-in is spent, spill over to" name="spill" value={word} onChange={(event) => setWord(event.target.value)}
        hint={`Accounts with a key are billed by use.${since}`}
      >
        <option value="none">Nobody: the request is refused until the reset</option>
        <option value="some">These accounts</option>
        <option value="all">Every account, later ones too</option>
      </Choice>
      {word === "some" && (
        <fieldset className="mb-3 max-h-28 overflow-y-auto">
          <legend className="sr-only">Accounts to spill over to</legend>
          {accounts.filter(({ provider }) => hasKey(provider)).map(({ id, name }) => (
            <label key={id} className="flex items-baseline gap-2">
              <input type="checkbox" name="spill_ids" value={id} defaultChecked={before.ids.includes(id)} className="accent-accent" />
              <span>{name}</span>
            </label>
          ))}
        </fieldset>
      )}
    </>
  );
}
