// What was kept from costing money: requests that did not spill over from a plan, or from Claude Code's own sign-in, to
// an account that is billed by use, because nobody has allowed it.
import { usePrevented } from "../../api/queries.ts";
import type { Account } from "../../api/types.ts";
import { Button } from "../../parts/Button.tsx";
import { plural } from "../../words/numbers.ts";
import { pathsOf } from "./prevented.ts";

export function Prevented({ accounts, onChange }: { accounts: Account[]; onChange: (account: Account) => void }) {
  const { data = [], error } = usePrevented();
  if (error) return <p role="alert" className="mt-6 text-bad">What was kept from costing money could not be read. {error.message}</p>;
  if (data.length === 0) return null;
  return (
    <section aria-labelledby="prevented" className="mt-8 max-w-[84ch]">
      <h2 id="prevented" className="text-figure">Kept from costing money</h2>
      <p className="mb-2 text-soft">Requests of the last 30 days that did not spill over to an account that is billed by use.</p>
      <ul className="border-y border-line">
        {pathsOf(data).map((path) => {
          const from = accounts.find(({ id }) => id === path.from_id);
          return (
            <li key={`${path.from_id} ${path.to_id}`} className="flex flex-wrap items-baseline gap-x-4 py-1.5 not-first:border-t not-first:border-line">
              <span className="min-w-0 break-words">{path.from} <span aria-hidden="true" className="text-faint">→</span><span className="sr-only">to</span> {path.to}</span>
              <span className="text-soft" title={path.days}>{plural(path.requests, "request")} on {plural(path.count, "day")}, last on {path.last}</span>
              {from && <Button kind="text" className="ml-auto -my-1" aria-label={`Change where it may spill over from ${from.name}`} onClick={() => onChange(from)}>Change where it may spill over</Button>}
            </li>
          );
        })}
      </ul>
    </section>
  );
}
