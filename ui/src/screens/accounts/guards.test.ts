import { expect, test } from "vitest";
import type { Guards } from "../../api/types.ts";
import { guardsIn, orderOf } from "./guards.ts";
import { pathsOf } from "./prevented.ts";

const budget = { tokens: null, usd: null, used_tokens: 5, used_usd: 0, unpriced_requests: 0, resets_at: "2026-11-25T00:00:00Z" };
const guards: Guards = {
  reserves: [{ window: null, stop_at: 90 }, { window: "5h", stop_at: 80 }],
  caps: { day: { ...budget, tokens: 2_000_000 }, week: null, month: { ...budget, usd: 50 } },
  peaks: [{ days: ["monday", "friday"], from: "09:00", to: "17:00", zone: "Europe/Berlin", then: "last" }],
};

function filled(changes: Record<string, string[]> = {}): FormData {
  const fields: Record<string, string[]> = {
    window: ["", "5h"], stop_at: ["90", "80"], day_tokens: ["2000000"], day_usd: [""], week_tokens: [""], week_usd: [""], month_tokens: [""], month_usd: ["50"],
    peak: ["0"], days_0: ["friday", "monday"], from: ["09:00"], to: ["17:00"], zone: ["Europe/Berlin"], then: ["last"], ...changes,
  };
  const form = new FormData();
  for (const [name, values] of Object.entries(fields)) values.forEach((value) => form.append(name, value));
  return form;
}

test("guards that were not touched send nothing", () => {
  expect(guardsIn(filled(), guards)).toEqual({});
});

test("only the list that differs is sent, and whole", () => {
  expect(guardsIn(filled({ stop_at: ["90", "70"] }), guards)).toEqual({ reserves: [{ window: null, stop_at: 90 }, { window: "5h", stop_at: 70 }] });
  expect(guardsIn(filled({ month_usd: [""] }), guards)).toEqual({ caps: { day: { tokens: 2_000_000, usd: null } } });
});

test("a cap of nothing is a cap, and an empty field is none", () => {
  expect(guardsIn(filled({ day_tokens: ["0"] }), guards).caps).toEqual({ day: { tokens: 0, usd: null }, month: { tokens: null, usd: 50 } });
});

test("all rows taken away are empty lists, which take the guards away", () => {
  const none = { window: [], stop_at: [], day_tokens: [""], month_usd: [""], peak: [], days_0: [], from: [], to: [], zone: [], then: [] };
  expect(guardsIn(filled(none), guards)).toEqual({ reserves: [], caps: {}, peaks: [] });
  expect(guardsIn(filled(none), null)).toEqual({});
});

test("boxes of days belong to their rule, also after one before it was left out", () => {
  const rules = { peak: ["2", "3"], days_2: ["sunday"], days_3: ["monday"], from: ["22:00", "09:00"], to: ["06:00", "17:00"], zone: ["", ""], then: ["unused", "last"] };
  expect(guardsIn(filled(rules), guards).peaks).toEqual([
    { days: ["sunday"], from: "22:00", to: "06:00", zone: null, then: "unused" }, { days: ["monday"], from: "09:00", to: "17:00", zone: null, then: "last" },
  ]);
  expect(orderOf(guards).peaks?.[0]?.days).toEqual(["monday", "friday"]);
});

test("what was kept from costing money is put together by its path", () => {
  const row = (day: string, to_id: number, requests: number) => ({ day, from: "Mine", from_id: 1, to: `Key ${to_id}`, to_id, requests });
  const [first, second] = pathsOf([row("2026-11-26T00:00:00Z", 2, 12), row("2026-11-24T00:00:00Z", 3, 1), row("2026-11-24T00:00:00Z", 2, 1)]);
  expect(first).toMatchObject({ to: "Key 2", requests: 13, count: 2, last: "Thu 26 Nov", days: "Thu 26 Nov: 12 requests\nTue 24 Nov: 1 request" });
  expect(second).toMatchObject({ to: "Key 3", requests: 1, count: 1 });
});
