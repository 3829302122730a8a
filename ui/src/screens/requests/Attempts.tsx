// The attempts of a request on one time line: from its arrival to its end, each try where it was.
import type { Attempt, Request } from "../../api/types.ts";
import { Mark } from "../../parts/Steps.tsx";
import { thenWord, verdictWord } from "../../words/endings.ts";
import { duration } from "../../words/times.ts";

export function Attempts({ request, took }: { request: Request; took: number }) {
  const { attempts } = request;
  const whole = Math.max(took, ...attempts.map((a) => a.began_ms + a.took_ms), 1);
  const last = attempts.length - 1;
  return (
    <section className="mt-5" aria-labelledby="attempts">
      <h3 id="attempts" className="border-b border-line pb-1">{attempts.length === 1 ? "One attempt" : `${attempts.length} attempts`}</h3>
      {attempts.length === 0 && <p className="mt-1.5 text-faint">No account was asked.</p>}
      <ol>
        {attempts.map((attempt, i) => (
          <li key={i} className="attempt" data-verdict={attempt.verdict}>
            <p className="flex items-baseline gap-1.5">
              <Mark fine={attempt.verdict === "fine"} />
              <span className="font-medium">{attempt.account}</span>
              <span className="text-soft">{verdictWord(attempt)}{i === last && attempt.verdict === "fine" && thenWord(request)}{attempt.status != null && ` · ${attempt.status}`}</span>
              <span className="ml-auto text-soft" title="Until the head of its answer was there, or it failed">{duration(attempt.took_ms)}</span>
            </p>
            <Line attempt={attempt} whole={whole} streamed={i === last && request.first_byte_ms != null ? request.first_byte_ms : null} end={took} />
            {attempt.error && <p className="mt-1 text-small text-bad break-words select-text">{attempt.error}</p>}
          </li>
        ))}
      </ol>
    </section>
  );
}

type LineProps = { attempt: Attempt; whole: number; streamed: number | null; end: number };

/** Waiting for the head in outline, the answer flowing in full. */
function Line({ attempt, whole, streamed, end }: LineProps) {
  const at = (ms: number) => `${(ms / whole) * 100}%`;
  return (
    <div className="attempt-line" aria-hidden="true">
      <i className={attempt.verdict === "fine" ? "wait" : "fail"} style={{ left: at(attempt.began_ms), width: at(attempt.took_ms) }} />
      {streamed != null && attempt.verdict === "fine" && <i className="flow" style={{ left: at(streamed), width: at(Math.max(end - streamed, 0)) }} />}
    </div>
  );
}
