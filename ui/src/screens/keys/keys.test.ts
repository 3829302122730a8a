import { expect, test } from "vitest";
import type { Account, Budget, ClientKey, Pool } from "../../api/types.ts";
import { filledIn, keyChangesIn, newKeyIn, type Filled } from "./filled.ts";
import { ends, fullest, limitsOf, opensWord, usedWords } from "./words.ts";

const budget: Budget = { tokens: null, usd: null, used_tokens: 0, used_usd: 0, unpriced_requests: 0, resets_at: "2026-11-25T00:00:00Z" };
const clientKey: ClientKey = {
  id: 1, name: "Laptop", prefix: "hg_Ab3d", state: "active", scopes: ["proxy"], expires_at: "2026-12-01T08:30:00Z",
  accounts: [2], pools: [3, 2], models: ["claude-haiku-*", "claude-sonnet-5"], per_minute: 60, daily: { ...budget, tokens: 1000 },
  monthly: { ...budget, usd: 5 }, created_at: "2026-11-01T00:00:00Z", rotated_at: null,
};
const filled: Filled = {
  name: "Laptop", scopes: ["proxy"], accounts: ["2"], pools: ["2", "3"], models: "claude-haiku-*,claude-sonnet-5", expires: "2026-12-01",
  per_minute: "60", daily_tokens: "1000", daily_usd: "", monthly_tokens: "", monthly_usd: "5",
};
const nothing: Filled = { ...filled, accounts: [], pools: [], models: " ", expires: "", per_minute: "", daily_tokens: "", monthly_usd: "" };

test("a form that was not touched changes nothing", () => {
  expect(keyChangesIn(filled, clientKey)).toEqual({});
});

test("only what differs is sent, and an emptied limit is taken away", () => {
  expect(keyChangesIn({ ...filled, name: "Desk", per_minute: "", models: "claude-*", daily_usd: "0.5" }, clientKey))
    .toEqual({ name: "Desk", per_minute: null, models: ["claude-*"], daily_usd: 0.5 });
  expect(keyChangesIn(nothing, clientKey)).toEqual({ accounts: null, pools: null, models: null, expires_at: null, per_minute: null, daily_tokens: null, monthly_usd: null });
});

test("a model's name is not split at a blank, so that the core can say what is wrong with it", () => {
  const models = (models: string) => newKeyIn({ ...nothing, models }).models;
  expect(models("gpt 4")).toEqual(["gpt 4"]);
  expect(models(" claude-haiku-* , claude-sonnet-5,\nglm-5.2,, ")).toEqual(["claude-haiku-*", "claude-sonnet-5", "glm-5.2"]);
});

test("pools that stay chosen keep their order", () => {
  expect(keyChangesIn({ ...filled, pools: ["1", "2", "3"] }, clientKey)).toEqual({ pools: [3, 2, 1] });
  expect(keyChangesIn({ ...filled, pools: ["2"] }, clientKey)).toEqual({ pools: [2] });
});

test("a new key states only what was filled in", () => {
  expect(newKeyIn(nothing)).toEqual({ name: "Laptop", scopes: ["proxy"] });
  expect(newKeyIn({ ...nothing, accounts: ["2", "3"], expires: "2027-01-31" }))
    .toEqual({ name: "Laptop", scopes: ["proxy"], accounts: [2, 3], expires_at: "2027-01-31T00:00:00Z" });
});

test("boxes that share a name are all read", () => {
  const form = new FormData();
  form.append("name", " Laptop ");
  form.append("scopes", "proxy");
  form.append("scopes", "read");
  expect(filledIn(form)).toMatchObject({ name: "Laptop", scopes: ["proxy", "read"], accounts: [] });
});

test("use is told beside its limit, and money beside tokens", () => {
  expect(usedWords({ ...budget, tokens: 1_000_000, used_tokens: 87_000, used_usd: 0.0013 })).toEqual(["87\u202fk of 1.0\u202fM tokens", "$0.0013"]);
  expect(usedWords({ ...budget, usd: 5, used_usd: 0.42 })).toEqual(["0 tokens", "$0.42 of $5.00"]);
});

test("the fuller budget is the one that counts, and none is not an empty one", () => {
  expect(fullest(budget)).toBeNull();
  expect(fullest({ ...budget, tokens: 100, used_tokens: 30, usd: 2, used_usd: 1.5 })).toBe(0.75);
});

test("what limits a key is named in the reader's words", () => {
  expect(limitsOf(clientKey, [{ id: 2, name: "Spare" } as Account], [{ id: 3, name: "Nights" } as Pool])).toEqual(["claude-haiku-*, claude-sonnet-5", "on Spare", "in pool Nights, pool 2, which is gone", "60 requests a minute"]);
  expect(limitsOf({ ...clientKey, models: null, pools: null, per_minute: null }, [], [])).toEqual(["on removed account 2"]);
  expect(opensWord(["manage", "proxy"])).toBe("Ask models, manage");
  expect(ends(clientKey, Date.parse("2026-12-01T09:00:00Z"))).toMatch(/^ended/);
});
