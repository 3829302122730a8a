// The board: one lane per account on a common time axis, from the past hours through now to the resets
// ahead. What the lanes draw is also a table, for readers who cannot see it.
import type { Account } from "../../api/types.ts";
import { withParams, type Place } from "../../nav/place.ts";
import { go } from "../../nav/usePlace.ts";
import { useNow } from "../../parts/useNow.ts";
import { inOrder } from "../../words/standings.ts";
import { hourMinute } from "../../words/times.ts";
import { BoardTable } from "./BoardTable.tsx";
import { CompactLane } from "./CompactLane.tsx";
import { Lane } from "./Lane.tsx";
import { leftOf, rangeOf, spans, ticksOf, type Range, type Span, type Tick } from "./board.ts";

const spanWords: Record<Span, string> = { "6h": "6 h", "24h": "24 h", "7d": "7 d" };

export function Board({ accounts, place }: { accounts: Account[]; place: Place }) {
  const span = spans.find((each) => each === place.params.get("span")) ?? "6h";
  const now = useNow(15_000);
  const range = rangeOf(span, now);
  const ticks = ticksOf(span, range);
  const ordered = inOrder(accounts);
  return (
    <section aria-label="Accounts and their usage windows">
      <div className="board-wide">
        <div className="board-axis">
          <SpanSwitch span={span} onChange={(chosen) => go(withParams(place, { span: chosen === "6h" ? null : chosen }), true)} />
          <AxisLabels ticks={ticks} range={range} />
        </div>
        <div className="board-lanes">
          <div className="board-grid" aria-hidden="true">
            {ticks.map(({ at, left }) => <i key={at} style={{ left: `${left}%` }} />)}
            <b style={{ left: `${leftOf(now, range)}%` }} />
          </div>
          {ordered.map((account) => <Lane key={account.id} account={account} range={range} />)}
        </div>
      </div>
      <div className="board-narrow">
        {ordered.map((account) => <CompactLane key={account.id} account={account} now={now} />)}
      </div>
      <BoardTable accounts={ordered} now={now} />
    </section>
  );
}

function SpanSwitch({ span, onChange }: { span: Span; onChange: (span: Span) => void }) {
  return (
    <div role="group" aria-label="Hours ahead" className="board-spans">
      {spans.map((each) => (
        <button key={each} type="button" aria-pressed={each === span} onClick={() => onChange(each)}>{spanWords[each]}</button>
      ))}
    </div>
  );
}

/** Labels keep away from the one for now, which matters more; on a narrow axis by more percent. */
const CLEAR_OF_NOW = 4;
const CLEAR_IF_NARROW = 11;

function AxisLabels({ ticks, range }: { ticks: Tick[]; range: Range }) {
  const now = leftOf(range.now, range);
  return (
    <div className="board-labels" aria-hidden="true">
      {ticks.filter(({ left }) => Math.abs(left - now) > CLEAR_OF_NOW && left > 1 && left < 98).map(({ at, left, label }) => (
        <span key={at} className={Math.abs(left - now) < CLEAR_IF_NARROW ? "near-now" : ""} style={{ left: `${left}%` }}>{label}</span>
      ))}
      <b style={{ left: `${now}%` }}>{hourMinute(range.now)}</b>
    </div>
  );
}
