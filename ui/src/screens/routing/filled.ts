// From what was typed to what is sent. The core judges it; here only empty and unchanged are told apart.
import type { Move } from "../../api/plan.ts";
import type {
  Binding, ExplainOrder, NewBinding, NewPool, NewRoute, Policy, Pool, PoolChange, Role, Route, RouteChange, Slot, Subject,
} from "../../api/types.ts";
import { MAIN, type Kind } from "../../words/plan.ts";

const text = (form: FormData, name: string) => String(form.get(name) ?? "").trim();

export function newPoolIn(form: FormData): NewPool {
  return { name: text(form, "name"), policy: text(form, "policy") as Policy, accounts: form.getAll("accounts").map(Number) };
}

/** The change, and who moves: in from another pool, or out to main. Against the pool as it was when the form was
    opened, so that whoever came in meanwhile is not sent out. */
export function poolChangesIn(form: FormData, pool: Pool): { change: PoolChange; moves: Move[] } {
  const { name, policy, accounts: chosen = [] } = newPoolIn(form);
  const into = chosen.filter((id) => !pool.accounts.includes(id));
  const out = pool.id === MAIN ? [] : pool.accounts.filter((id) => !chosen.includes(id));
  return {
    change: { ...(name !== pool.name && { name }), ...(policy !== pool.policy && { policy }) },
    moves: [...into.map((account) => ({ account, pool: pool.id })), ...out.map((account) => ({ account, pool: MAIN }))],
  };
}

/** A slot as its field holds it: `account:3`, `pool:2`. */
export function targetOf({ account_id, pool_id }: Slot): string {
  if (pool_id != null) return `pool:${pool_id}`;
  return account_id == null ? "" : `account:${account_id}`;
}

/** Slots in the order in which they stand. One without a target is sent as it is: the core says what is missing. */
export function slotsIn(form: FormData): Slot[] {
  const models = form.getAll("slot_model").map((model) => String(model).trim());
  return form.getAll("slot_target").map((target, at) => {
    const [kind, id] = String(target).split(":");
    const model = models[at];
    return {
      ...(kind === "account" && { account_id: Number(id) }), ...(kind === "pool" && { pool_id: Number(id) }), ...(model && { model }),
    };
  });
}

export function newRouteIn(form: FormData): NewRoute {
  return {
    name: text(form, "name"), models: text(form, "models"), slots: slotsIn(form), enabled: true,
    falls_through: text(form, "falls_through") === "yes", ...(text(form, "idle_seconds") && { idle_seconds: Number(text(form, "idle_seconds")) }),
  };
}

const bare = ({ account_id, pool_id, model }: Slot) => [account_id ?? null, pool_id ?? null, model ?? null];

/** Only what differs; slots go all together. */
export function routeChangesIn(form: FormData, route: Route): RouteChange {
  const { name, models, slots, falls_through, idle_seconds = 0 } = newRouteIn(form);
  return {
    ...(name !== route.name && { name }),
    ...(models !== route.models && { models }),
    ...(JSON.stringify(slots.map(bare)) !== JSON.stringify(route.slots.map(bare)) && { slots }),
    ...(falls_through !== route.falls_through && { falls_through }),
    ...(idle_seconds !== (route.idle_seconds ?? 0) && { idle_seconds }),
  };
}

function subjectIn(form: FormData): Subject {
  const kind = text(form, "kind") as Kind;
  const is = text(form, "subject");
  if (kind === "key") return { key: Number(is) };
  if (kind === "role") return { role: is as Role };
  if (kind === "directory") return { directory: is };
  return kind === "agent_type" ? { agent_type: is } : { project: is };
}

export function newBindingIn(form: FormData): NewBinding {
  return { subject: subjectIn(form), ...boundIn(form) };
}

function boundIn(form: FormData) {
  return { pool_id: Number(text(form, "pool")), strict: text(form, "strict") === "yes" };
}

/** Only what differs. */
export function bindingChangesIn(form: FormData, binding: Binding): { pool_id?: number; strict?: boolean } {
  const { pool_id, strict } = boundIn(form);
  return { ...(pool_id !== binding.pool_id && { pool_id }), ...(strict !== binding.strict && { strict }) };
}

const described = ["model", "tokens", "project", "directory", "key", "role", "agent_type", "session", "login"] as const;
const marked = ["images", "tools", "count"] as const;

/** A described request as it stands in the address, so that it can be kept and gone back to. */
export function describedIn(form: FormData): Record<string, string | null> {
  const words = described.map((name) => [name, text(form, name) || null] as const);
  const marks = marked.map((name) => [name, form.has(name) ? "1" : null] as const);
  return { explain: "1", ...Object.fromEntries([...words, ...marks]) };
}

/** What is asked of the core; null where nothing was asked. */
export function orderIn(params: URLSearchParams): ExplainOrder | null {
  if (!params.has("explain")) return null;
  const word = (name: (typeof described)[number]) => params.get(name) || null;
  const [tokens, login] = [word("tokens"), word("login")];
  return {
    model: word("model"), project: word("project"), directory: word("directory"), key: word("key"), role: word("role") as Role | null,
    agent_type: word("agent_type"), session: word("session"), agent: null, betas: [], bytes: 0, stream: true, endpoint: params.has("count") ? "counts" : "messages",
    tokens: tokens == null ? null : Number(tokens), images: params.has("images"), tools: params.has("tools"),
    login: login == null ? null : login === "yes",
  };
}

export const nothingDescribed = Object.fromEntries(["explain", ...described, ...marked].map((name) => [name, null]));
