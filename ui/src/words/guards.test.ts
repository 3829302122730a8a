import { expect, test } from "vitest";
import { guardWords } from "./guards.ts";

const cap = { tokens: null, usd: null, used_tokens: 0, used_usd: 0, unpriced_requests: 0, resets_at: "2026-11-25T00:00:00Z" };

test("each guard is a line of its own", () => {
  expect(guardWords({
    reserves: [{ window: null, stop_at: 90 }, { window: "5h", stop_at: 80 }],
    caps: { day: { ...cap, tokens: 2_000_000, used_tokens: 87_000 }, week: null, month: { ...cap, usd: 50, used_usd: 4.2 } },
    peaks: [
      { days: ["friday", "monday"], from: "09:00", to: "17:00", zone: "Europe/Berlin", then: "unused" },
      { days: ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"], from: "22:00", to: "06:00", zone: null, then: "last" },
    ],
  })).toEqual([
    "Every window stops at 90 %", "5h stops at 80 %",
    "87\u202fk of 2.0\u202fM tokens today", "$4.20 of $50.00 this month",
    "Not used Mon, Fri 09:00–17:00 Europe/Berlin", "Comes last daily 22:00–06:00",
  ]);
});

test("a cap in both tells both, and nothing kept back is no line", () => {
  const day = { ...cap, tokens: 1000, used_tokens: 10, usd: 1, used_usd: 0.5 };
  expect(guardWords({ reserves: [], caps: { day }, peaks: [] })).toEqual(["10 of 1.0\u202fk tokens, $0.50 of $1.00 today"]);
  expect(guardWords({ reserves: [], caps: {}, peaks: [] })).toEqual([]);
});
