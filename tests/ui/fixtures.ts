// States of a core that the demo cannot be brought into: nothing there yet, everything full, everything
// wrong. They are answered by intercepting the page's calls, at a fixed moment.
import type {
  Account, Attempt, Binding, Budget, ClientKey, Decision, Ending, HeadgateEvent, Job, Overview, Pool, Prevented, Profile, Provider, Request, RequestPage, Route, Status, UsageWindow, Vault,
} from "../../ui/src/api/types.ts";

import { definitions } from "./sign-in-fixtures.ts";

/** A Thursday in winter, 12:41 in Berlin. */
export const NOW = Date.parse("2026-11-26T11:41:20Z");
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const at = (ms: number) => new Date(NOW + ms).toISOString();

export const providers: Provider[] = [
  { id: "anthropic", title: "Anthropic", about: "Claude by Anthropic's own API, with an API key.", base_url: "https://api.anthropic.com", credential: "key" },
  { id: "compatible", title: "Anthropic-compatible", about: "Any endpoint that speaks Anthropic's format.", base_url: null, credential: "key" },
  {
    id: "claude-login", title: "Claude Code's own sign-in", about: "Passes on the sign-in that Claude Code brings.",
    base_url: "https://api.anthropic.com", credential: "client",
  },
];

export const status: Status = {
  version: "0.1.0", proxy: "running", address: "http://127.0.0.1:8417", problem: null, vault: "keychain",
  data_dir: "/home/mira/.local/share/headgate", started_at: at(-5 * HOUR), running: 2, waiting: 0, held: 0, listeners: [], unused_login: false, needs_key: false,
};

export const vault: Vault = {
  says: "Keys are kept in the keychain. It works, and holds 3 secrets.",
  kind: "keychain", secured: "system", chosen: null, looked_at: at(-5 * HOUR), problem: null, secrets: 3, orphans: [], missing: [], left: null,
  can_clean_left: false, moving: null, last_move: null, troubles: [],
};

function windowOf(name: string, utilization: number | null, resetsIn: number | null, spent = false): UsageWindow {
  const family = name.split("_")[1] ?? null;
  return { name, family, limits: "messages", utilization, resets_at: resetsIn == null ? null : at(resetsIn), spent, again_at: null, source: "header", learned_at: at(-MINUTE) };
}

function account(id: number, name: string, priority: number, rest: Partial<Account> = {}): Account {
  return {
    id, name, priority, pool_id: 1, pool: "main", provider: "anthropic", base_url: null, models: {}, windows: [], in_flight: 0, created_at: at(-40 * 24 * HOUR),
    standing: { state: "ready", reason: null, until: null, paused_by: null }, ...rest,
  };
}

const usualAccounts: Account[] = [
  account(1, "Work", 0, {
    standing: { state: "cooling", reason: "Its 5-hour window is spent. Requests go to Spare.", until: at(98 * MINUTE), paused_by: null },
    windows: [windowOf("5h", 1, 98 * MINUTE, true), windowOf("7d", 0.71, 49 * HOUR), windowOf("7d_opus", 0.86, 49 * HOUR)],
  }),
  account(2, "Spare", 10, {
    in_flight: 2, windows: [windowOf("5h", 0.34, 221 * MINUTE), windowOf("7d", 0.22, 130 * HOUR), windowOf("7d_opus", 0.41, 130 * HOUR)],
  }),
  account(3, "Team gateway", 20, {
    provider: "compatible", base_url: "https://claude.gateway.example.com",
    windows: [windowOf("requests", null, null)],
  }),
];

const fullAccounts: Account[] = [
  ...usualAccounts,
  account(4, "Night shift", 20, {
    pool_id: 2, pool: "Nights",
    guards: {
      reserves: [{ window: "7d", stop_at: 90 }],
      caps: { day: { tokens: 2_000_000, usd: null, used_tokens: 412_000, used_usd: 0.8, unpriced_requests: 0, resets_at: at(9 * HOUR) } },
      peaks: [{ days: ["monday", "tuesday", "wednesday", "thursday", "friday"], from: "09:00", to: "17:00", zone: "Europe/Amsterdam", then: "last" }],
    },
    standing: { state: "paused", reason: "Saving it for the release on Friday.", until: null, paused_by: "user" },
    windows: [windowOf("5h", 0.02, 4 * HOUR), windowOf("7d", 0.9, 20 * HOUR)],
    open_window: { when: "at", days: ["monday", "tuesday", "wednesday", "thursday", "friday"], time: "07:00" },
    opening: { opened_at: at(-5 * HOUR), next_at: at(19 * HOUR), kept_back: null }, keep_warm: 3,
  }),
  account(5, "Old key of the platform team in Rotterdam", 100, {
    standing: { state: "needs_sign_in", reason: "Anthropic refused its key (401). Replace it, or remove the account.", until: null, paused_by: null },
  }),
  account(8, "Company gateway", 25, {
    provider: "compatible", base_url: "https://claude.company.example.com",
    standing: { state: "needs_sign_in", reason: "id.example.com says that its sign-in has ended (invalid_grant). Sign in again.", until: null, paused_by: null },
    sign_in: {
      with: "oidc", client_id: "headgate", issuer: "https://id.example.com", tenant: null, scopes: ["openid", "offline_access"], at: at(-30 * 24 * HOUR),
      renews: true, expires_at: at(-MINUTE),
    },
  }),
  account(6, "Personal", 30, {
    sign_in: { with: "entra", client_id: null, issuer: null, tenant: null, scopes: [], at: at(-HOUR), renews: false, expires_at: at(40 * MINUTE) },
    in_flight: 1, windows: [windowOf("5h", 0.004, 290 * MINUTE), windowOf("7d", null, null)],
  }),
  account(7, "Burst", 40, { in_flight: 12, windows: [windowOf("5h", 0.83, 12 * MINUTE), windowOf("7d", 0.55, 75 * HOUR), windowOf("7d_sonnet", 0.12, 75 * HOUR)] }),
];

function attempt(name: string, verdict: Attempt["verdict"] = "fine", status: number | null = 200, began_ms = 1, took_ms = 420, error: string | null = null): Attempt {
  return { account: name, verdict, status, began_ms, took_ms, error };
}

const models = ["claude-opus-4-8", "claude-sonnet-5", "claude-haiku-4-5-20251001"];
const agents = [null, "reviewer", null, "test-runner"];

function request(n: number, age: number): Request {
  const rest = oddities[n % oddities.length] ?? {};
  const seed = (n * 7919) % 1000;
  return {
    id: `req_${String(1_000_000_000_000 - n).padStart(13, "0")}`,
    started_at: at(-age), method: "POST", path: "/v1/messages", model: models[n % 5 === 0 ? 0 : n % 3] ?? null,
    served_model: models[n % 5 === 0 ? 0 : n % 3] ?? null, session: `5f0c1e${(n % 4).toString(16)}a-9b1d-4a7e-8f21-0c6d5b3a91e${n % 4}`,
    agent: agents[n % 4] ?? null, client: "claude-cli/2.4.11 (external, cli)", stream: true, request_bytes: 48_000 + seed * 90,
    ending: "complete", status: 200, error: null, changes: [], account: n % 3 ? "Spare" : "Work",
    attempts: [attempt(n % 3 ? "Spare" : "Work")],
    usage: { input: 12 + seed, output: 90 + seed * 2, cache_read: 18_000 + seed * 61, cache_write: seed * 4 },
    cost_usd: n % 7 ? 0.004 + seed * 0.0007 : null, key: n % 3 ? "Laptop" : null,
    duration_ms: 2400 + seed * 19, first_byte_ms: 430 + seed / 2, ...rest,
  };
}

const decision: Decision = {
  at: at(-9 * MINUTE), account: 2, choice: "rebound", policy: "priority", pool: "main", route: null, binding: "project shop", bound_to: 1,
  weighed: null, prevented: null, until: null, notes: ["Slot 2 of the route night points at an account that is gone."], left_out: 0,
  candidates: [
    { account: 2, name: "Spare", slot: null, model: null, outcome: "chosen", why: "the account of its conversation is away for longer than its cache lives", until: null },
    { account: 3, name: "Team gateway", slot: null, model: "claude-sonnet-5", outcome: "next", why: "priority 20 comes after 10", until: null },
    { account: 1, name: "Work", slot: null, model: null, outcome: "passed_over", why: "Its 5-hour window is spent.", until: at(98 * MINUTE) },
  ],
};

const oddities: Partial<Request>[] = [
  { ending: null, status: 200, duration_ms: null, usage: { input: 840, output: 212, cache_read: 61_200, cache_write: 900 } },
  { ending: null, status: null, duration_ms: null, first_byte_ms: null, account: null, usage: {}, attempts: [] },
  {},
  {
    account: "Spare", decision, project: "shop", role: "subagent",
    attempts: [
      attempt("Work", "quota_spent", 429, 1.2, 180, "This request would exceed your account's 5-hour limit."),
      attempt("Spare", "fine", 200, 184, 512),
    ],
  },
  {}, {}, { served_model: "claude-sonnet-5", model: "claude-opus-4-8", changes: ["model: claude-opus-4-8 → claude-sonnet-5"] }, {},
  { ending: "client_left", duration_ms: 3120, usage: { input: 310, output: 45, cache_read: 22_000, cache_write: null } },
  {}, {},
  {
    ending: "upstream_error", status: 529, error: "Every account was overloaded or resting. The next one is back at 14:19.", account: null,
    attempts: [attempt("Work", "weather", 529, 1, 90, "Overloaded"), attempt("Spare", "weather", 529, 140, 88, "Overloaded"), attempt("Team gateway", "weather", null, 300, 5000, "connect timed out")],
    usage: {}, first_byte_ms: null, duration_ms: 5310,
  },
  {}, { path: "/v1/messages/count_tokens", stream: false, usage: { input: 20_144 }, duration_ms: 212, first_byte_ms: 210 }, {}, {},
  { ending: "refused", status: 413, error: "The body is larger than 32 MiB.", account: null, attempts: [], usage: {}, first_byte_ms: null, duration_ms: 3, model: null, agent: null },
  {}, {}, {},
];

const budget = (rest: Partial<Budget> = {}): Budget => ({
  tokens: null, usd: null, used_tokens: 0, used_usd: 0, unpriced_requests: 0, resets_at: at(12 * HOUR), ...rest,
});

function clientKey(id: number, name: string, rest: Partial<ClientKey> = {}): ClientKey {
  return {
    id, name, prefix: `hg_Ab${id}d`, state: "active", scopes: ["proxy"], expires_at: null, accounts: null, models: null, per_minute: null,
    daily: budget(), monthly: budget({ resets_at: at(4 * 24 * HOUR) }), created_at: at(-30 * 24 * HOUR), rotated_at: null, ...rest,
  };
}

const usualKeys: ClientKey[] = [
  clientKey(1, "Laptop", { daily: budget({ used_tokens: 184_220, used_usd: 1.36 }), monthly: budget({ used_tokens: 4_120_400, used_usd: 31.2 }) }),
  clientKey(2, "Build server", {
    models: ["claude-haiku-*", "claude-sonnet-5"], accounts: [2], per_minute: 30,
    daily: budget({ tokens: 2_000_000, used_tokens: 1_620_000, usd: 5, used_usd: 4.1, unpriced_requests: 3 }),
    monthly: budget({ usd: 60, used_usd: 60.02, used_tokens: 22_400_000, resets_at: at(4 * 24 * HOUR) }),
  }),
];

const fullKeys: ClientKey[] = [
  ...usualKeys,
  clientKey(3, "Old laptop", { state: "expired", expires_at: at(-3 * 24 * HOUR) }),
  clientKey(4, "Dashboard on the wall of the office in Rotterdam", { state: "disabled", scopes: ["read"] }),
  clientKey(5, "Everything", { scopes: ["proxy", "read", "manage"], expires_at: at(20 * 24 * HOUR), accounts: [1, 2, 99] }),
];

const route = (id: number, name: string, models: string, slots: Route["slots"], rest: Partial<Route> = {}): Route =>
  ({ id, name, models, slots, enabled: true, falls_through: false, created_at: at(-20 * 24 * HOUR), ...rest });

const binding = (id: number, subject: Binding["subject"], what: string, pool_id: number, pool: string | null, strict = false): Binding =>
  ({ id, subject, what, pool_id, pool, strict, created_at: at(-20 * 24 * HOUR) });

const usualRoutes: Route[] = [
  route(1, "Cheap haiku", "haiku", [{ account_id: 3, name: "Team gateway", model: "claude-haiku-4-5" }, { pool_id: 1, name: "main" }], { falls_through: true }),
];
const usualBindings: Binding[] = [binding(1, { project: "shop" }, "project shop", 2, "Nights")];

const fullRoutes: Route[] = [
  ...usualRoutes,
  route(2, "Night", "opus", [{ pool_id: 2, name: "Nights" }, { account_id: 9, name: null }]),
  route(3, "Night, once more", "opus", [{ account_id: 2, name: "Spare" }]),
  route(4, "Long chain for the platform team", "claude-sonnet-*", [
    { account_id: 2, name: "Spare" }, { account_id: 4, name: "Night shift" }, { account_id: 7, name: "Burst", model: "claude-sonnet-5" },
    { account_id: 5, name: "Old key of the platform team in Rotterdam" }, { pool_id: 1, name: "main", model: "claude-haiku-4-5-20251001" },
  ], { falls_through: true }),
  route(5, "Resting", "fable", [{ account_id: 6, name: "Personal" }], { enabled: false }),
];
const fullBindings: Binding[] = [
  ...usualBindings,
  binding(2, { directory: "/work/clients/a-very-long-name-of-a-client/and-its-repository" }, "folder /work/clients/a-very-long-name-of-a-client/and-its-repository", 1, "main"),
  binding(3, { key: 2 }, "key Build server", 7, null, true),
  binding(4, { role: "compaction" }, "role compaction", 1, "main"),
  binding(5, { agent_type: "reviewer" }, "agent type reviewer", 8, null),
];
const prevented: Prevented[] = [
  { day: "2026-11-26T00:00:00Z", from: "Work", from_id: 1, to: "Spare", to_id: 2, requests: 12 },
  { day: "2026-11-24T00:00:00Z", from: "Work", from_id: 1, to: "Spare", to_id: 2, requests: 1 },
  { day: "2026-11-24T00:00:00Z", from: "Work", from_id: 1, to: "Team gateway", to_id: 3, requests: 3 },
];

type Plan = { pools: Pool[]; routes: Route[]; bindings: Binding[]; prevented: Prevented[] };
/** One that has asked, and one that was adopted and has its folder no more. */
export const profiles: Profile[] = [
  {
    id: 1, name: "work", folder: "/home/mira/.local/share/headgate/profiles/work", is_ours: true, has_folder: true,
    windows: [windowOf("5h", 0.42, 2 * HOUR), windowOf("7d", 0.81, 40 * HOUR)], seen_at: at(-4 * MINUTE), command: "headgate run --profile work", created_at: at(-90 * HOUR),
  },
  {
    id: 2, name: "private", folder: "/home/mira/.claude-private", is_ours: false, has_folder: false,
    windows: [], seen_at: null, command: "headgate run --profile private", created_at: at(-80 * HOUR),
  },
];

export type Scene = { plan: Plan; status: Status; overview: Overview; requests: Request[]; providers: Provider[]; keys: ClientKey[]; jobs: Job[] };

const job = (id: Job["id"], title: string, cadence: string, rest: Partial<Job> = {}): Job =>
  ({ id, title, about: `What ${title} does, in a sentence that is as long as sentences are.`, cadence, limit_seconds: 3600, off: null, running_since: null, last: null, last_trouble: null, next_at: null, ...rest });

const usualJobs: Job[] = [
  job("integrity", "Integrity", "every 7 days", { next_at: at(6 * 24 * HOUR) }),
  job("models", "Models", "at the start, for a new account, and with traffic once a list is 6 h old", {
    last: { began_at: at(-5 * HOUR), took_ms: 840, outcome: "fine", says: "Asked 3 accounts, and all told." },
    last_trouble: { began_at: at(-30 * HOUR), took_ms: 20_100, outcome: "trouble", says: "Asked 1 account, and 1 did not tell. work: it answered 401." },
  }),
  job("retention", "Retention", "every day at 04:00", { off: "limits.keep_days in settings.toml is 0: requests are kept for ever" }),
];
const fullJobs: Job[] = [
  job("integrity", "Integrity", "every 7 days", {
    last: { began_at: at(-26 * HOUR), took_ms: 184_000, outcome: "trouble", says: "The database is damaged: stop Headgate, keep a copy of headgate.db, and put a backup in its place or move it away. Found: Tree 12 page 14: btreeInitPage() returns error code 11" },
    next_at: at(5 * 24 * HOUR),
  }),
  job("models", "Models", "at the start, for a new account, and with traffic once a list is 6 h old", {
    running_since: at(-12_000), last: { began_at: at(-6 * HOUR), took_ms: 9100, outcome: "stopped", says: "Asked 2 accounts, and all told." },
  }),
  job("retention", "Retention", "every day at 04:00", {
    last: { began_at: at(-8 * HOUR), took_ms: null, outcome: "interrupted", says: "Headgate ended while it ran." }, next_at: at(16 * HOUR),
  }),
];

const today = { requests: 412, complete: 401, rescued: 7, input: 184_220, output: 512_900, cache_read: 18_402_110, cache_write: 1_240_500 };
const rows = (many: number) => Array.from({ length: many }, (_, n) => request(n, n * 9200 + (n > 2 ? 31_000 : n * 2500)));

function poolsOf(accounts: Account[], ...more: [number, string, Pool["policy"]][]): Pool[] {
  return [[1, "main", "priority"] as const, ...more].map(([id, name, policy]) => ({
    id, name, policy, created_at: at(-40 * 24 * HOUR), accounts: accounts.filter(({ pool_id }) => pool_id === id).map((each) => each.id),
  }));
}

export const scenes: Record<"empty" | "usual" | "full", Scene> = {
  empty: {
    plan: { pools: poolsOf([]), routes: [], bindings: [], prevented: [] },
    status: { ...status, running: 0, vault: "file" }, providers, requests: [], keys: [], jobs: usualJobs.slice(0, 1),
    overview: { sentence: "No account yet.", mood: "care", accounts: [], today: { requests: 0, complete: 0, rescued: 0, input: 0, output: 0, cache_read: 0, cache_write: 0 } },
  },
  usual: {
    plan: { pools: poolsOf(usualAccounts, [2, "Nights", "soonest_reset"]), routes: usualRoutes, bindings: usualBindings, prevented: [] },
    status, providers, requests: rows(46), keys: usualKeys, jobs: usualJobs,
    overview: { sentence: "2 of 3 accounts are ready. Work is back at 14:19; until then Spare answers.", mood: "good", accounts: usualAccounts, today },
  },
  full: {
    plan: { pools: poolsOf(fullAccounts, [2, "Nights", "soonest_reset"], [3, "Left over from the old gateway", "round_robin"]), routes: fullRoutes, bindings: fullBindings, prevented },
    status: { ...status, proxy: "paused", running: 15, waiting: 3 }, providers, requests: rows(300), keys: fullKeys, jobs: fullJobs,
    overview: {
      sentence: "The proxy is paused: every request is refused until you resume it.", mood: "bad", accounts: fullAccounts,
      today: { requests: 48_112, complete: 46_020, rescued: 1_204, input: 18_422_000, output: 9_120_400, cache_read: 2_840_211_000, cache_write: 91_240_500 },
    },
  },
};

/** The page's calls as this scene's core would answer them. */
export function answer(scene: Scene, method: string, url: URL): { status: number; body: unknown } {
  const path = url.pathname.replace("/api/v1/", "");
  if (path === "explain") return { status: 200, body: { ...decision, at: at(0) } };
  if (path === "sign-ins/definitions") return { status: 200, body: definitions };
  if (path === "sign-ins" && method === "GET") return { status: 200, body: [] };
  if (method !== "GET") return { status: 409, body: { code: "name_taken", message: "An account named Work exists already. Choose another name." } };
  if (path === "status") return { status: 200, body: scene.status };
  if (path === "overview") return { status: 200, body: scene.overview };
  if (path === "providers") return { status: 200, body: scene.providers };
  if (path === "accounts") return { status: 200, body: scene.overview.accounts };
  if (path === "pools") return { status: 200, body: scene.plan.pools };
  if (path === "routes") return { status: 200, body: scene.plan.routes };
  if (path === "bindings") return { status: 200, body: scene.plan.bindings };
  if (path === "prevented") return { status: 200, body: scene.plan.prevented };
  if (path === "settings") return { status: 200, body: { serve_asked_or_refuse: false } };
  if (path === "vault") return { status: 200, body: vault };
  if (path === "jobs") return { status: 200, body: scene.jobs };
  if (path === "profiles") return { status: 200, body: profiles };
  if (path === "keys") return { status: 200, body: scene.keys };
  if (path === "requests") return { status: 200, body: page(scene.requests, url.searchParams) };
  const found = scene.requests.find((row) => path === `requests/${row.id}`);
  return found ? { status: 200, body: found } : { status: 404, body: { code: "not_found", message: "There is no such request." } };
}

function page(all: Request[], query: URLSearchParams): RequestPage {
  const before = query.get("before");
  const ending = query.get("ending") as Ending | null;
  const account = usualAccounts.find((each) => String(each.id) === query.get("account"))?.name;
  const fitting = all.filter((row) =>
    (!before || row.id < before) && (!ending || row.ending === ending) && (!account || row.account === account) && (!query.has("running") || !row.ending));
  const requests = fitting.slice(0, Number(query.get("limit") ?? 100));
  return { requests, next: fitting.length > requests.length ? requests[requests.length - 1]?.id : null };
}

export function eventLine(event: HeadgateEvent): string {
  return `data: ${JSON.stringify(event)}\n\n`;
}
