// What a key opens, what limits it and how much of it is used, in words.
import type { Account, Budget, ClientKey, Pool, Scope } from "../../api/types.ts";
import { dollars, plural, short, tokens as inTokens } from "../../words/numbers.ts";
import { capital } from "../../words/plan.ts";
import { until } from "../../words/times.ts";

export const scopeWords: [Scope, string, string][] = [
  ["proxy", "Ask models", "what Claude Code and the SDKs need"],
  ["read", "Look", "read what this page shows"],
  ["manage", "Manage", "change anything, accounts and keys included"],
];

export function opensWord(scopes: Scope[]): string {
  const words = scopeWords.filter(([scope]) => scopes.includes(scope)).map(([, word]) => word.toLowerCase());
  return capital(words.join(", "));
}

/** "until 14:20 (in 38 min)"; once it is over, "ended 14:20". */
export function ends({ expires_at }: Pick<ClientKey, "expires_at">, now: number): string {
  const over = expires_at != null && Date.parse(expires_at) <= now;
  return `${over ? "ended" : "until"} ${until(expires_at, now)}`;
}

export function limitsOf(clientKey: ClientKey, accounts: Account[], pools: Pool[]): string[] {
  const { accounts: ids, pools: poolIds, models, per_minute } = clientKey;
  const name = (id: number) => accounts.find((each) => each.id === id)?.name ?? `removed account ${id}`;
  const pool = (id: number) => pools.find((each) => each.id === id)?.name ?? `${id}, which is gone`;
  return [
    ...(models ? [models.join(", ")] : []),
    ...(ids ? [`on ${ids.map(name).join(", ")}`] : []),
    ...(poolIds ? [`in ${poolIds.map((id) => `pool ${pool(id)}`).join(", ")}`] : []),
    ...(per_minute ? [`${plural(per_minute, "request")} a minute`] : []),
  ];
}

/** A line each for tokens and money: "87 k of 1 M tokens", "$0.42 of $5.00". */
export function usedWords(budget: Budget): string[] {
  const tokens = budget.tokens == null ? inTokens(budget.used_tokens) : `${short(budget.used_tokens)} of ${inTokens(budget.tokens)}`;
  const money = budget.usd == null ? dollars(budget.used_usd) : `${dollars(budget.used_usd)} of ${dollars(budget.usd)}`;
  return [tokens, money];
}

/** The used share of whichever budget is fuller; null where there is none. */
export function fullest(budget: Budget): number | null {
  const shares = [
    budget.tokens ? budget.used_tokens / budget.tokens : null,
    budget.usd ? budget.used_usd / budget.usd : null,
  ].filter((part) => part != null);
  return shares.length ? Math.max(...shares) : null;
}
