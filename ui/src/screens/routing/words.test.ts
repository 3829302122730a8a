import { expect, test } from "vitest";
import type { Account, Binding, ClientKey, Decision, Pool, Route } from "../../api/types.ts";
import type { World } from "./faults.ts";
import { afterDissolving, removedWords, wouldGo } from "./words.ts";

const now = Date.parse("2026-11-26T11:41:20Z");
const nights = { id: 2, name: "Nights", accounts: [4, 5] } as Pool;
const accounts = [{ id: 4, name: "Night shift" }, { id: 5, name: "Owl" }] as Account[];
const bindings = [{ what: "project shop", pool_id: 2, strict: false }, { what: "key CI", pool_id: 2, strict: true }] as Binding[];
const world = {
  accounts, bindings, pools: [{ id: 1, name: "everybody" } as Pool, nights], askedOnly: false,
  routes: [{ name: "Night", slots: [{ pool_id: 2 }] } as Route], clientKeys: [{ name: "CI", pools: [2] } as ClientKey],
} satisfies World;

test("before a pool is dissolved it says what becomes of its accounts and of all that points at it", () => {
  expect(afterDissolving(nights, world)).toEqual([
    "Night shift and Owl go back to everybody, and may serve everybody there.",
    "A slot of the route Night points at nothing, and is skipped.",
    "Bound to nothing any more: project shop.",
    "Bound strictly, key CI is refused until bound elsewhere.",
    "The key CI allows nobody there.",
  ]);
  expect(afterDissolving({ ...nights, id: 3, accounts: [] }, world)).toEqual(["No account is in it."]);
});

test("after it, the core's own answer is told", () => {
  const left = { pool: nights, routes: ["Night", "Day"], bindings: [], keys: [] };
  expect(removedWords({ what: "pool", pool: nights, left }, accounts)).toEqual([
    "Pool Nights is dissolved.", "Back in main: Night shift and Owl.", "A slot of the routes Night and Day points at nothing, and is skipped.",
  ]);
});

test("a dry run says where it would go, or that nobody could and who is back when", () => {
  const decision = { account: 2, candidates: [{ account: 2, name: "Spare", why: "nobody else could" }] } as Decision;
  expect(wouldGo(decision, now)).toBe("Would go to Spare: nobody else could.");
  expect(wouldGo({ ...decision, account: null, until: "2026-11-26T13:19:20Z" }, now)).toContain("Somebody is back at 14:19");
  expect(wouldGo({ ...decision, account: null, until: null }, now)).toBe("Nobody could take it now.");
});
