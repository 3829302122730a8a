// Says why a request went where it went: what led it, what was weighed, what was kept from costing money.
import type { Decision } from "../api/types.ts";
import { dollars, plural } from "./numbers.ts";
import { policyWord } from "./plan.ts";

type Weighed = NonNullable<Decision["weighed"]>;

const gains: Record<Exclude<Weighed["gain"], "nothing">, string> = {
  order: "the order that you set", fit: "an account that is known to fit", included: "use that is paid for already",
  headroom: "more room", expiring: "a week that would end unspent",
};

/** One sentence for each thing that led it. */
export function circumstances(decision: Decision): string[] {
  const name = (id: number) => decision.candidates.find((one) => one.account === id)?.name ?? `account ${id}`;
  const { route, pool, policy, binding, bound_to: bound, weighed, prevented } = decision;
  // The policy is that of the place where it was chosen, which may be a slot before that pool.
  const slot = decision.account == null ? null : decision.candidates[0]?.slot;
  const stays = bound === decision.account && decision.choice === "bound";
  return [
    route ? `Route ${route}.` : null,
    slot != null && policy ? `Slot ${slot + 1}, ${policyWord[policy]}.` : null,
    pool ? `Pool ${pool}${policy && slot == null ? `, ${policyWord[policy]}` : ""}.` : null,
    binding ? `Bound by ${binding}.` : null,
    bound != null && !stays ? `Its conversation is bound to ${name(bound)}.` : null,
    weighed ? weighing(weighed) : null,
    prevented ? `Kept from costing money: it did not spill over from ${name(prevented.from)} to ${name(prevented.to)}.` : null,
    ...decision.notes,
  ].filter((line) => line !== null);
}

function weighing(weighed: Weighed): string {
  const cost = weighed.cold_cost == null ? "" : ` (${dollars(weighed.cold_cost)})`;
  const move = `A move writes ${plural(weighed.cold_tokens, "token")} into a cache anew${cost}`;
  if (weighed.gain === "nothing") return `${move} and gains nothing.`;
  return `${move}; it gains ${gains[weighed.gain]}, which is worth ${weighed.worth > weighed.charge ? "more" : "no more"} than that.`;
}
