// A request's way through the accounts: "✕ Work → ● Spare", so that a rescue is seen at a glance.
import type { Request } from "../api/types.ts";
import { verdictWord } from "../words/endings.ts";

/** More tries than this are told by their number. */
const SHOWN = 2;

export function Steps({ request }: { request: Request }) {
  const { attempts } = request;
  if (attempts.length === 0) {
    return <span className="text-faint" title="No account has taken it yet.">{request.account ?? "–"}</span>;
  }
  const hidden = Math.max(0, attempts.length - SHOWN);
  return (
    <span className="flex min-w-0 items-center gap-1.5">
      {hidden > 0 && <span className="text-faint" title={`${hidden} earlier ${hidden === 1 ? "try" : "tries"}`}>+{hidden}</span>}
      {attempts.slice(hidden).map((attempt, i, shown) => {
        const last = i === shown.length - 1;
        const fine = attempt.verdict === "fine";
        return (
          <span key={i} className="inline-flex min-w-0 items-center gap-1" title={`${attempt.account}: ${verdictWord(attempt)}${attempt.status ? ` (${attempt.status})` : ""}`}>
            <Mark fine={fine} />
            <span className={`truncate ${fine ? "" : "text-soft"}`}>{attempt.account}</span>
            {!last && <span aria-hidden="true" className="text-faint">→</span>}
            {!last && <span className="sr-only">, then</span>}
          </span>
        );
      })}
    </span>
  );
}

export function Mark({ fine }: { fine: boolean }) {
  return (
    <>
      <svg viewBox="0 0 8 8" aria-hidden="true" className={`size-2 shrink-0 ${fine ? "text-ready" : "text-bad"}`}>
        {fine
          ? <circle cx="4" cy="4" r="2.6" fill="currentColor" />
          : <path d="M1.2 1.2 6.8 6.8M6.8 1.2 1.2 6.8" stroke="currentColor" strokeWidth="1.5" fill="none" />}
      </svg>
      <span className="sr-only">{fine ? "answered by " : "failed at "}</span>
    </>
  );
}
