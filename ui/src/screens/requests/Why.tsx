// Why a request went where it went, as a part of its panel.
import type { Decision } from "../../api/types.ts";
import { Reasons } from "../../parts/Reasons.tsx";

export function Why({ decision, now }: { decision: Decision; now: number }) {
  return (
    <section className="mt-5" aria-labelledby="why">
      <h3 id="why" className="border-b border-line pb-1">{decision.account == null ? "Why nobody took it" : "Why this account"}</h3>
      <Reasons decision={decision} now={now} />
    </section>
  );
}
