// What a removal does, before it and after it, in words.
import type { Removed } from "../../api/plan.ts";
import type { Account, Decision, Pool } from "../../api/types.ts";
import { capital, listed, MAIN } from "../../words/plan.ts";
import { until } from "../../words/times.ts";
import type { World } from "./faults.ts";

/** What becomes of a pool's accounts, and of everything that points at it. */
export function afterDissolving(pool: Pool, world: World): string[] {
  const main = world.pools.find(({ id }) => id === MAIN)?.name ?? "main";
  const inside = world.accounts.filter(({ id }) => pool.accounts.includes(id)).map(({ name }) => name);
  const routes = world.routes.filter(({ slots }) => slots.some((slot) => slot.pool_id === pool.id)).map(({ name }) => name);
  const bound = world.bindings.filter(({ pool_id }) => pool_id === pool.id);
  const keys = world.clientKeys.filter(({ pools }) => pools?.includes(pool.id)).map(({ name }) => name);
  return [
    inside.length ? `${listed(inside)} ${inside.length === 1 ? "goes" : "go"} back to ${main}, and may serve everybody there.` : "No account is in it.",
    ...pointing(routes, bound, keys),
  ];
}

function pointing(routes: string[], bound: { what: string; strict: boolean }[], keys: string[]): string[] {
  const loose = bound.filter(({ strict }) => !strict).map(({ what }) => what);
  const strict = bound.filter((one) => one.strict).map(({ what }) => what);
  const is = (names: string[]) => (names.length === 1 ? "is" : "are");
  return [
    ...(routes.length ? [`A slot of ${routes.length === 1 ? "the route" : "the routes"} ${listed(routes)} points at nothing, and is skipped.`] : []),
    ...(loose.length ? [`Bound to nothing any more: ${listed(loose)}.`] : []),
    ...(strict.length ? [`Bound strictly, ${listed(strict)} ${is(strict)} refused until bound elsewhere.`] : []),
    ...(keys.length ? [`${keys.length === 1 ? "The key" : "The keys"} ${listed(keys)} ${keys.length === 1 ? "allows" : "allow"} nobody there.`] : []),
  ];
}

/** What was removed, and what that came to, as the core told it. */
export function removedWords(removed: Removed, accounts: Account[]): [what: string, ...came: string[]] {
  if (removed.what === "route") return [`Route ${removed.route.name} is removed.`];
  if (removed.what === "binding") return [`${capital(removed.binding.what)} is bound no more.`];
  const { pool, routes, bindings, keys } = removed.left;
  const back = accounts.filter(({ id }) => pool.accounts.includes(id)).map(({ name }) => name);
  return [
    `Pool ${pool.name} is dissolved.`,
    ...(back.length ? [`Back in main: ${listed(back)}.`] : []),
    ...pointing(routes, bindings, keys),
  ];
}

/** Where such a request would go, in a sentence. */
export function wouldGo(decision: Decision, now: number): string {
  const [first] = decision.candidates;
  if (decision.account == null) return decision.until ? `Nobody could take it now. Somebody is back at ${until(decision.until, now)}.` : "Nobody could take it now.";
  const name = decision.candidates.find(({ account }) => account === decision.account)?.name ?? `account ${decision.account}`;
  return first?.why ? `Would go to ${name}: ${first.why}.` : `Would go to ${name}.`;
}
