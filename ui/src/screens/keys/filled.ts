// From what was typed to what is sent. The core judges it; here only empty and unchanged are told apart.
import type { ClientKey, KeyChange, NewKey, Scope } from "../../api/types.ts";

export type Filled = {
  name: string; scopes: string[]; accounts: string[]; pools: string[]; models: string; expires: string; per_minute: string;
  daily_tokens: string; daily_usd: string; monthly_tokens: string; monthly_usd: string;
};

type Terms = Required<Omit<KeyChange, "name" | "enabled">>;

export function filledIn(form: FormData): Filled {
  const text = (name: string) => String(form.get(name) ?? "").trim();
  const all = (name: string) => form.getAll(name).map(String);
  return {
    name: text("name"), scopes: all("scopes"), accounts: all("accounts"), pools: all("pools"), models: text("models"), expires: text("expires"),
    per_minute: text("per_minute"), daily_tokens: text("daily_tokens"), daily_usd: text("daily_usd"),
    monthly_tokens: text("monthly_tokens"), monthly_usd: text("monthly_usd"),
  };
}

const number = (text: string) => (text === "" ? null : Number(text));
/** A blank parts nothing: what stands on both sides of one is a mistake, and the core says which. */
const names = (text: string) => text.split(/[,\n]/).map((name) => name.trim()).filter(Boolean);
const list = <T>(all: T[]) => (all.length ? all : null);

/** An empty field is no limit; a day ends with its midnight in UTC, as budgets do. */
function termsIn(filled: Filled): Terms {
  return {
    scopes: filled.scopes as Scope[],
    expires_at: filled.expires ? `${filled.expires}T00:00:00Z` : null,
    accounts: list(filled.accounts.map(Number)),
    pools: list(filled.pools.map(Number)),
    models: list(names(filled.models)),
    per_minute: number(filled.per_minute),
    daily_tokens: number(filled.daily_tokens),
    daily_usd: number(filled.daily_usd),
    monthly_tokens: number(filled.monthly_tokens),
    monthly_usd: number(filled.monthly_usd),
  };
}

function termsOf(key: ClientKey): Terms {
  return {
    scopes: key.scopes,
    // A field for days can't show the hour; only another day is a change.
    expires_at: key.expires_at ? `${key.expires_at.slice(0, 10)}T00:00:00Z` : null,
    accounts: key.accounts ?? null,
    pools: key.pools ?? null,
    models: key.models ?? null,
    per_minute: key.per_minute ?? null,
    daily_tokens: key.daily.tokens ?? null,
    daily_usd: key.daily.usd ?? null,
    monthly_tokens: key.monthly.tokens ?? null,
    monthly_usd: key.monthly.usd ?? null,
  };
}

/** Pools are asked in the order in which they were named; boxes know none, so those that stay keep theirs. */
function inOrder(chosen: string[], key: ClientKey): string[] {
  const stay = (key.pools ?? []).map(String).filter((id) => chosen.includes(id));
  return [...stay, ...chosen.filter((id) => !stay.includes(id))];
}

/** Only what was filled in. */
export function newKeyIn(filled: Filled): NewKey {
  const stated = Object.entries(termsIn(filled)).filter(([, value]) => value !== null);
  return { name: filled.name, ...Object.fromEntries(stated) };
}

/** Only the fields that differ; a limit that was emptied is sent as null, which takes it away. */
export function keyChangesIn(filled: Filled, key: ClientKey): KeyChange {
  const before = termsOf(key);
  const differs = Object.entries(termsIn({ ...filled, pools: inOrder(filled.pools, key) })).filter(
    ([name, value]) => JSON.stringify(value) !== JSON.stringify(before[name as keyof Terms]),
  );
  return { ...(filled.name !== key.name && { name: filled.name }), ...Object.fromEntries(differs) };
}
