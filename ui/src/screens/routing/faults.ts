// What is wrong with the plan as it stands: routes that lead nowhere, bindings that bind nothing, pools to which
// nothing leads. It names what only a person can mend; whoever rests comes back without being mended.
import type { Account, Binding, ClientKey, Pool, Route, Slot } from "../../api/types.ts";
import { capital, listed, MAIN } from "../../words/plan.ts";

export type World = { accounts: Account[]; pools: Pool[]; routes: Route[]; bindings: Binding[]; clientKeys: ClientKey[]; askedOnly: boolean };

/** Why an account serves nobody until somebody does something. */
function away({ standing: { state } }: Account): string | null {
  if (state === "paused") return "is paused";
  return state === "needs_sign_in" ? "needs a sign-in" : null;
}

function poolFault(pool: Pool, accounts: Account[]): string | null {
  const inside = accounts.filter((one) => pool.accounts.includes(one.id));
  const [only] = inside;
  if (!only) return `pool ${pool.name} has no account`;
  if (inside.some((account) => away(account) == null)) return null;
  return inside.length === 1 ? `${only.name}, alone in pool ${pool.name}, ${away(only)}` : `everybody in pool ${pool.name} is paused or needs a sign-in`;
}

/** Why this slot serves nothing of its route; null where it can. */
export function slotFault(slot: Slot, route: Pick<Route, "models">, world: World): string | null {
  const pool = world.pools.find(({ id }) => id === slot.pool_id);
  const account = world.accounts.find(({ id }) => id === slot.account_id);
  if (!pool && !account) return `${slot.pool_id == null ? `account ${slot.account_id}` : `pool ${slot.pool_id}`} is gone`;
  if (world.askedOnly && slot.model && slot.model !== route.models) {
    return `${pool ? `pool ${pool.name}` : account?.name} would be asked for ${slot.model}, and only the model that was asked for is served`;
  }
  if (pool) return poolFault(pool, world.accounts);
  const fault = account && away(account);
  return fault ? `${account.name} ${fault}` : null;
}

export type RouteFaults = {
  /** For each slot. */
  slots: (string | null)[];
  /** Where no slot can serve: the whole sentence. */
  nowhere: string | null;
  /** Why no request ever takes it. */
  never: string | null;
};

export function routeFaults(route: Route, world: World): RouteFaults {
  const slots = route.slots.map((slot) => slotFault(slot, route, world));
  const all = slots.every((fault) => fault != null);
  const why = listed([...new Set(slots)].filter((fault) => fault != null));
  const then = route.falls_through ? "Its requests go on to the usual selection." : "Its requests are refused.";
  const older = world.routes.find((other) =>
    other.enabled && other.id < route.id && other.models.toLowerCase() === route.models.toLowerCase());
  return {
    slots,
    nowhere: all ? `Leads nowhere: ${why}. ${route.enabled ? then : "It is switched off."}` : null,
    never: route.enabled && older ? `Never taken: ${older.name} is for the same models and is older.` : null,
  };
}

export function bindingFault(binding: Binding, world: World): string | null {
  const { subject, strict } = binding;
  if ("key" in subject && !world.clientKeys.some(({ id }) => id === subject.key)) return "This key was revoked: nothing comes with it any more.";
  const pool = world.pools.find(({ id }) => id === binding.pool_id);
  const fault = pool ? poolFault(pool, world.accounts) : "its pool is gone";
  if (!fault) return null;
  if (pool?.id === MAIN) return `${capital(fault)}.`;
  if (strict) return `${capital(fault)}: what is bound so is refused.`;
  return pool ? `${capital(fault)}: main serves instead.` : `${capital(fault)}: it binds nothing.`;
}

/** What leads to a pool, each in a few words. */
export function leadsTo(pool: Pool, { routes, bindings, clientKeys }: Pick<World, "routes" | "bindings" | "clientKeys">): string[] {
  return [
    ...routes.filter(({ slots }) => slots.some((slot) => slot.pool_id === pool.id)).map(({ name, enabled }) => `route ${name}${enabled ? "" : ", which is off"}`),
    ...bindings.filter(({ pool_id }) => pool_id === pool.id).map(({ what, strict }) => `${what}${strict ? ", strictly" : ""}`),
    ...clientKeys.filter(({ pools }) => pools?.includes(pool.id)).map(({ name }) => `what key ${name} allows`),
  ];
}

const order = ["key", "directory", "project", "agent_type", "role"];

/** The order in which they count: of several that fit, the first leads. Of folders the inner one is the longer. */
export function inRank(bindings: Binding[]): Binding[] {
  const kind = ({ subject }: Binding) => order.indexOf(Object.keys(subject)[0] ?? "");
  const depth = ({ subject }: Binding) => ("directory" in subject ? -subject.directory.length : 0);
  return [...bindings].sort((a, b) =>
    Number(b.strict) - Number(a.strict) || kind(a) - kind(b) || depth(a) - depth(b) || a.what.localeCompare(b.what));
}
