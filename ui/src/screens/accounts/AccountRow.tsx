// One account as a line of the table. Its acts are words, not icons behind a menu.
import { useResumeAccount } from "../../api/changes.ts";
import { useAccounts, useProviders } from "../../api/queries.ts";
import { useSignInDefinitions } from "../../api/signIns.ts";
import type { Account } from "../../api/types.ts";
import { linkTo } from "../../nav/place.ts";
import { go } from "../../nav/usePlace.ts";
import { Button } from "../../parts/Button.tsx";
import { StandingMark } from "../../parts/Standing.tsx";
import { WindowList } from "../../parts/WindowList.tsx";
import { guardWords } from "../../words/guards.ts";
import { MAIN } from "../../words/plan.ts";
import { hindrances, shownStanding, standingDetail } from "../../words/standings.ts";
import { timedWords } from "../../words/timed.ts";
import { clock, exactTime } from "../../words/times.ts";
import { renewalWords, signedInWords } from "../sign-in/words.ts";
import type { Asked } from "./Accounts.tsx";

type Props = { account: Account; now: number; onAsk: (asked: Asked) => void };

export function AccountRow({ account, now, onAsk }: Props) {
  const resume = useResumeAccount(account.id);
  const { data: providers } = useProviders();
  // Where clients bring what is asked with, there is nothing of its own to test.
  const isTestable = providers?.find(({ id }) => id === account.provider)?.credential !== "client";
  const standing = shownStanding(account);
  const detail = standingDetail(standing, now);
  return (
    <tr className="border-t border-line align-top hover:bg-surface [&>td]:py-2.5 [&>td]:pr-4 [&>th]:py-2.5 [&>th]:pr-4 wide:[&>td]:pr-6 wide:[&>th]:pr-6" data-account={account.name}>
      <td className="goes-after-name pl-2 text-soft" data-column="Priority">{account.priority}</td>
      <th scope="row" className="max-w-70 text-left font-normal">
        <button type="button" data-row={account.id} className="text-left font-semibold hover:underline underline-offset-3" onClick={() => onAsk({ act: "change", account })}>
          {account.name}
        </button>
        <Upstream account={account} now={now} />
      </th>
      <td className="min-w-44 max-w-90" data-column="Standing">
        <p title={exactTime(standing.until)}>
          <StandingMark state={standing.state} />
          {detail && <span className="text-soft"> {detail}</span>}
          {account.in_flight > 0 && <span className="text-soft">, {account.in_flight} running</span>}
        </p>
        {standing.reason && <p className="text-small text-soft first-letter:uppercase">{standing.reason}</p>}
        {hindrances(account, now).map((line) => <p key={line} className="text-small text-soft first-letter:uppercase">{line}</p>)}
        <Mend account={account} onAsk={onAsk} />
        <Spills account={account} now={now} />
        {account.guards && guardWords(account.guards).map((line) => <p key={line} className="text-small text-soft">{line}</p>)}
        {timedWords(account, now).map((line) => <p key={line} className="text-small text-soft">{line}</p>)}
        {resume.problem && <p role="alert" className="text-bad">{resume.problem}</p>}
      </td>
      <td className="max-board:hidden"><WindowList windows={account.windows} now={now} /></td>
      <td className="acts whitespace-nowrap text-right">
        <span className="inline-grid grid-flow-col justify-items-end gap-x-4 wide:gap-x-5 -my-1 max-[1080px]:grid-flow-row max-[1080px]:grid-cols-[auto_auto] max-[760px]:grid-cols-[auto]">
          <Button kind="text" onClick={() => onAsk({ act: "change", account })}>Change</Button>
          <Button kind="text" onClick={() => onAsk({ act: "guard", account })}>Keep back</Button>
          {isTestable && <Button kind="text" onClick={() => go(linkTo("accounts", { test: String(account.id) }))}>Test</Button>}
          {standing.state === "paused"
            ? <Button kind="text" disabled={resume.busy} onClick={() => void resume.run()}>Resume</Button>
            : <Button kind="text" onClick={() => onAsk({ act: "pause", account })}>Pause</Button>}
          <Button kind="text" onClick={() => onAsk({ act: "remove", account })}>Remove</Button>
        </span>
      </td>
    </tr>
  );
}

/** The way out for one that can't serve before a person has acted. */
function Mend({ account, onAsk }: { account: Account; onAsk: Props["onAsk"] }) {
  if (account.standing.state !== "needs_sign_in") return null;
  return account.sign_in
    ? <Button className="mt-1" onClick={() => onAsk({ act: "sign-in", account })}>Sign in again</Button>
    : <Button className="mt-1" onClick={() => onAsk({ act: "change", account })}>Replace the key</Button>;
}

function Upstream({ account, now }: { account: Account; now: number }) {
  const { data: providers } = useProviders();
  const { data: definitions = [] } = useSignInDefinitions();
  const provider = providers?.find((each) => each.id === account.provider);
  return (
    <div className="text-small text-soft">
      <p>{provider?.title ?? account.provider}{account.pool_id !== MAIN && `, pool ${account.pool}`}</p>
      {account.base_url && <p className="mono max-w-38 truncate select-text wide:max-w-80" title={account.base_url}>{account.base_url}</p>}
      {account.sign_in && <p title={`Since ${exactTime(account.sign_in.at)}`}>{signedInWords(account, definitions, now)}</p>}
      {renewalWords(account, now) && <p>{renewalWords(account, now)}</p>}
    </div>
  );
}

/** Where its requests may spill over to, and since when: whoever looks sees what may cost money. */
function Spills({ account: { spill }, now }: { account: Account; now: number }) {
  const { data: accounts = [] } = useAccounts();
  if (!spill) return null;
  const name = (id: number) => accounts.find((one) => one.id === id)?.name;
  const paths = spill.accounts.map(({ id, allowed_at }) => ({ to: name(id), since: allowed_at })).filter(({ to }) => to);
  if (spill.all) paths.push({ to: "every account", since: spill.all });
  if (paths.length === 0) return <p className="text-small text-soft">May spill over to nobody any more</p>;
  return paths.map(({ to, since }) => (
    <p key={to} className="text-small text-soft" title={exactTime(since)}>May spill over to {to}, allowed {clock(since, now)}</p>
  ));
}
