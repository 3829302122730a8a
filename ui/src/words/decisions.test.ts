import { expect, test } from "vitest";
import type { Decision } from "../api/types.ts";
import { circumstances } from "./decisions.ts";

const candidates: Decision["candidates"] = [
  { account: 1, name: "Work", outcome: "chosen", why: "nobody else could" },
  { account: 2, name: "Spare", outcome: "passed_over", why: "it rests" },
];
const plain: Decision = { at: "2026-11-26T11:41:20Z", account: 1, choice: "sole", candidates, left_out: 0, notes: [] };
const weighed = { cold_tokens: 180_000, cold_cost: 0.62, charge: 207_000, gain: "order" as const, worth: 50_000 };

test("what nobody would ask about is not said", () => {
  expect(circumstances(plain)).toEqual([]);
  expect(circumstances({ ...plain, bound_to: 1, choice: "bound" })).toEqual([]);
});

test("what led a request is named", () => {
  const led = { ...plain, route: "night", pool: "main", policy: "headroom" as const, binding: "project shop", bound_to: 2 };
  expect(circumstances(led)).toEqual([
    "Route night.", "Pool main, by headroom.", "Bound by project shop.", "Its conversation is bound to Spare.",
  ]);
});

test("a move says what it costs and what it gains", () => {
  const [line] = circumstances({ ...plain, weighed });
  expect(line).toBe("A move writes 180,000 tokens into a cache anew ($0.62); it gains the order that you set, which is worth no more than that.");
  expect(circumstances({ ...plain, weighed: { ...weighed, worth: 300_000 } })[0]).toContain("worth more than that");
  expect(circumstances({ ...plain, weighed: { ...weighed, cold_cost: null, gain: "nothing" } })[0]).toBe("A move writes 180,000 tokens into a cache anew and gains nothing.");
});

test("a path to money that was kept closed names both ends, also of an account that is left out", () => {
  const [line] = circumstances({ ...plain, prevented: { from: 1, to: 9 } });
  expect(line).toBe("Kept from costing money: it did not spill over from Work to account 9.");
});
