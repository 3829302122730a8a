// A lane where there is no room for time: name, standing, the window that binds, and when it is back.
import type { Account } from "../../api/types.ts";
import { linkTo } from "../../nav/place.ts";
import { Shape, standingColour } from "../../parts/Standing.tsx";
import { shownStanding, standingBrief } from "../../words/standings.ts";
import { clock } from "../../words/times.ts";
import { binding, levelOf, used, windowTitle } from "../../words/windows.ts";

export function CompactLane({ account, now }: { account: Account; now: number }) {
  const standing = shownStanding(account);
  const window = binding(account.windows);
  const level = window && levelOf(window);
  return (
    <article className="compact-lane" data-account={account.name}>
      <h2 className="truncate"><a href={linkTo("requests", { account: String(account.id) })}>{account.name}</a></h2>
      <span className={`inline-flex items-center gap-1.5 font-medium ${standingColour[standing.state]}`}>
        <Shape state={standing.state} />
        {standingBrief(standing, now)}
      </span>
      {window
        ? (
          <>
            <span className={`bar ${level}`} aria-hidden="true">
              <i style={{ width: `${(level === "spent" ? 1 : (window.utilization ?? 0)) * 100}%` }} />
            </span>
            <span className="text-soft">
              {windowTitle(window)} {used(window)}{window.resets_at && `, resets ${clock(window.resets_at, now)}`}
            </span>
          </>
        )
        : <span className="col-span-2 text-faint">No limit known</span>}
    </article>
  );
}
