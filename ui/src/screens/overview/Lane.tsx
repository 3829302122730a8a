// One account on the board: its name and standing at the head, a track per usage window beside it.
import type { Account, UsageWindow } from "../../api/types.ts";
import { linkTo } from "../../nav/place.ts";
import { StandingMark } from "../../parts/Standing.tsx";
import { plural } from "../../words/numbers.ts";
import { hindrances, shownStanding, standingDetail } from "../../words/standings.ts";
import { clock, exactTime } from "../../words/times.ts";
import { inTrackOrder, levelOf, limiting, used, windowTitle } from "../../words/windows.ts";
import { barOf, leftOf, type Range } from "./board.ts";

export function Lane({ account, range }: { account: Account; range: Range }) {
  const standing = shownStanding(account);
  const detail = standingDetail(standing, range.now);
  return (
    <article className="lane" data-account={account.name} data-standing={standing.state}>
      <header className="lane-head">
        <h2 className="truncate">
          <a href={linkTo("requests", { account: String(account.id) })} className="hover:underline underline-offset-3" title={`Requests of ${account.name}`}>
            {account.name}
          </a>
        </h2>
        <p title={exactTime(standing.until)}>
          <StandingMark state={standing.state} />
          {detail && <span className="text-soft"> {detail}</span>}
        </p>
        {standing.reason && <p className="text-small text-soft first-letter:uppercase">{standing.reason}</p>}
        {hindrances(account, range.now).map((line) => <p key={line} className="text-small text-soft first-letter:uppercase">{line}</p>)}
      </header>
      <div className="lane-tracks">
        {limiting(account.windows).length === 0 && <NoWindows />}
        {inTrackOrder(limiting(account.windows)).map((window) => <Track key={window.name} window={window} range={range} />)}
        <Marks account={account} range={range} />
      </div>
    </article>
  );
}

function Track({ window, range }: { window: UsageWindow; range: Range }) {
  const bar = barOf(window, range);
  const level = levelOf(window);
  const filled = level === "spent" ? 1 : (window.utilization ?? 0);
  const reset = clock(window.resets_at, range.now);
  const ends = `${bar.openStart ? " open-start" : ""}${bar.openEnd ? " open-end" : ""}`;
  return (
    <div className="track" title={`${windowTitle(window)}: ${used(window)}${level === "spent" ? "" : " used"}, resets ${exactTime(window.resets_at)}`}>
      <span className="track-name">{windowTitle(window)}</span>
      <span className={`track-used ${level}`}>{used(window)}</span>
      <span className="track-plot" aria-hidden="true">
        <span className={`bar ${level}${ends}`} style={{ left: `${bar.left}%`, width: `${bar.width}%` }}>
          <i style={{ width: `${filled * 100}%` }} />
        </span>
        {bar.reset != null && <span className="reset" style={{ left: `${bar.reset}%` }} />}
        {window.resets_at && <ResetLabel at={bar.reset} text={reset} />}
      </span>
    </div>
  );
}

/** Beside its tick; at the right edge with an arrow when the reset lies beyond the axis. */
function ResetLabel({ at, text }: { at: number | null; text: string }) {
  if (at == null) return <span className="reset-label beyond">{text} →</span>;
  return at > 92
    ? <span className="reset-label" style={{ right: `${100 - at}%` }}>{text}</span>
    : <span className="reset-label" style={{ left: `${at}%` }}>{text}</span>;
}

function NoWindows() {
  return (
    <div className="track">
      <span className="track-name text-faint" title="The upstream has not stated a limit yet.">No limit known</span>
    </div>
  );
}

/** A rest ahead as a hatched stretch, and what runs now as a dot on the line. */
function Marks({ account, range }: { account: Account; range: Range }) {
  const { in_flight } = account;
  const standing = shownStanding(account);
  const now = leftOf(range.now, range);
  const back = standing.until ? Math.min(100, leftOf(Date.parse(standing.until), range)) : 100;
  return (
    <div className="lane-marks">
      {standing.state !== "ready" && back > now && (
        <span className={`rest ${standing.state}`} style={{ left: `${now}%`, width: `${back - now}%` }} />
      )}
      {in_flight > 0 && (
        <span className="in-flight" style={{ left: `${now}%` }} title={`${plural(in_flight, "request")} running`}>{in_flight}</span>
      )}
    </div>
  );
}
