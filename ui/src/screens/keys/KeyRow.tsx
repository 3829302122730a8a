// One key as a line of the table: what it opens, and what is left of it.
import { useChangeKey } from "../../api/changes.ts";
import { usePools } from "../../api/queries.ts";
import type { Account, Budget, ClientKey } from "../../api/types.ts";
import { Button } from "../../parts/Button.tsx";
import { dollars, plural, share } from "../../words/numbers.ts";
import { exactTime, until } from "../../words/times.ts";
import type { Asked } from "./Keys.tsx";
import { ends, fullest, limitsOf, opensWord, usedWords } from "./words.ts";

type Props = { clientKey: ClientKey; accounts: Account[]; now: number; onAsk: (asked: Asked) => void };

export function KeyRow({ clientKey, accounts, now, onAsk }: Props) {
  const change = useChangeKey(clientKey.id);
  const { data: pools = [] } = usePools();
  const off = clientKey.state === "disabled";
  return (
    <tr className="border-t border-line align-top hover:bg-surface [&>td]:py-2.5 [&>td]:pr-4 [&>th]:py-2.5 [&>th]:pr-4 wide:[&>td]:pr-6 wide:[&>th]:pr-6" data-key={clientKey.name}>
      <th scope="row" className="max-w-60 pl-2 text-left font-normal">
        <button type="button" data-row={clientKey.id} className="text-left font-semibold hover:underline underline-offset-3" onClick={() => onAsk({ act: "change", clientKey })}>
          {clientKey.name}
        </button>
        <p className="mono text-small text-soft select-text">{clientKey.prefix}…</p>
        {clientKey.state !== "active" && <p className="text-bad">{off ? "Switched off" : "Expired"}</p>}
        {clientKey.expires_at && <p className="text-small text-soft" title={exactTime(clientKey.expires_at)}>{ends(clientKey, now)}</p>}
        {change.problem && <p role="alert" className="text-bad">{change.problem}</p>}
      </th>
      <td className="max-w-70" data-column="Opens">
        <p>{opensWord(clientKey.scopes)}</p>
        {limitsOf(clientKey, accounts, pools).map((limit) => <p key={limit} className="text-small break-words text-soft">{limit}</p>)}
      </td>
      <td className="min-w-40" data-column="Today"><Used budget={clientKey.daily} now={now} /></td>
      <td className="min-w-40 max-board:hidden"><Used budget={clientKey.monthly} now={now} /></td>
      <td className="acts whitespace-nowrap text-right">
        <span className="inline-flex gap-x-4 wide:gap-x-5 -my-1 max-[1080px]:flex-col max-[1080px]:items-end">
          <Button kind="text" onClick={() => onAsk({ act: "change", clientKey })}>Change</Button>
          <Button kind="text" disabled={change.busy} onClick={() => void change.run({ enabled: off })}>{off ? "Switch on" : "Switch off"}</Button>
          <Button kind="text" onClick={() => onAsk({ act: "rotate", clientKey })}>New secret</Button>
          <Button kind="text" onClick={() => onAsk({ act: "revoke", clientKey })}>Revoke</Button>
        </span>
      </td>
    </tr>
  );
}

function Used({ budget, now }: { budget: Budget; now: number }) {
  const part = fullest(budget);
  const spent = part != null && part >= 1;
  return (
    <div title={`${plural(budget.used_tokens, "token")}, ${dollars(budget.used_usd)} by the public price list`}>
      {usedWords(budget).map((words) => <p key={words} className={spent ? "text-bad" : ""}>{words}</p>)}
      {part != null && (
        <div className="my-1 h-1 max-w-40 bg-line" role="meter" aria-label="Used share of the budget" aria-valuemin={0} aria-valuemax={100} aria-valuenow={Math.min(100, Math.floor(part * 100))}>
          <div className={`h-1 ${spent ? "bg-bad" : "bg-accent"}`} style={{ width: `${Math.min(1, part) * 100}%` }} />
        </div>
      )}
      {part != null && <p className="text-small text-soft">{share(part)}, starts anew {until(budget.resets_at, now)}</p>}
      {budget.unpriced_requests > 0 && (
        <p className="text-small text-cooling" title="Their models are not on the price list. A budget in money does not count them.">
          {plural(budget.unpriced_requests, "request")} without a known price
        </p>
      )}
    </div>
  );
}
