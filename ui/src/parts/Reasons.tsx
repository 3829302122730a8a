// Why a request went where it went, or would go: what led it, and every account that was considered, in order.
import type { Decision } from "../api/types.ts";
import { circumstances } from "../words/decisions.ts";
import { until } from "../words/times.ts";

const outcomes: Record<Decision["candidates"][number]["outcome"], string> = {
  chosen: "chosen", next: "next", passed_over: "passed over",
};

export function Reasons({ decision, now }: { decision: Decision; now: number }) {
  return (
    <>
      {circumstances(decision).map((line) => <p key={line} className="mt-1.5 text-soft break-words select-text">{line}</p>)}
      <ol className="mt-1.5">
        {decision.candidates.map((one) => (
          <li key={`${one.account} ${one.slot ?? ""} ${one.model ?? ""}`} className="py-1">
            <p className="flex items-baseline gap-1.5">
              <span className={one.outcome === "chosen" ? "font-medium" : ""}>{one.name}</span>
              <span className="text-soft">{outcomes[one.outcome]}{one.slot != null && ` · slot ${one.slot + 1}`}{one.model && ` · as ${one.model}`}</span>
              {one.until && <span className="ml-auto text-soft">until {until(one.until, now)}</span>}
            </p>
            <p className="text-small text-soft break-words select-text">{one.why}</p>
          </li>
        ))}
      </ol>
      {decision.left_out > 0 && <p className="text-faint">And {decision.left_out} more.</p>}
    </>
  );
}
