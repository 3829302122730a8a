import { expect, test } from "vitest";
import type { UsageWindow } from "../../api/types.ts";
import { barOf, leftOf, rangeOf, ticksOf } from "./board.ts";

const now = Date.parse("2026-11-26T12:00:00+01:00");
const hours = (n: number) => new Date(now + n * 3_600_000).toISOString();
const window = (name: string, resets_at: string | null): UsageWindow => ({
  name, resets_at, limits: "messages", utilization: 0.5, spent: false, again_at: null, source: "header", learned_at: hours(-1),
});

test("now stands where the past ends", () => {
  const range = rangeOf("6h", now);
  expect(leftOf(now, range)).toBeCloseTo((5 / 11) * 100);
});

test("a five-hour window is whole on the shortest axis", () => {
  const bar = barOf(window("5h", hours(2)), rangeOf("6h", now));
  expect(bar).toMatchObject({ openStart: false, openEnd: false });
  expect(bar.left).toBeCloseTo((2 / 11) * 100);
  expect(bar.width).toBeCloseTo((5 / 11) * 100);
  expect(bar.reset).toBeCloseTo((7 / 11) * 100);
});

test("a window longer than the axis is open at the side where it goes on", () => {
  expect(barOf(window("7d", hours(50)), rangeOf("6h", now))).toEqual({ left: 0, width: 100, openStart: true, openEnd: true, reset: null });
  expect(barOf(window("7d", hours(3)), rangeOf("6h", now))).toMatchObject({ left: 0, openStart: true, openEnd: false });
});

test("a window without a reset spans the axis and claims no end", () => {
  expect(barOf(window("5h", null), rangeOf("24h", now))).toEqual({ left: 0, width: 100, openStart: true, openEnd: true, reset: null });
});

test("a reset in the past leaves no tick on the axis", () => {
  const bar = barOf(window("5h", hours(-20)), rangeOf("6h", now));
  expect(bar).toMatchObject({ width: 0, reset: null });
});

test("ticks are round hours, and midnights on the week", () => {
  expect(ticksOf("6h", rangeOf("6h", now + 60_000)).map((t) => t.label).slice(0, 3)).toEqual(["08:00", "09:00", "10:00"]);
  expect(ticksOf("24h", rangeOf("24h", now)).map((t) => t.label)).toEqual(["09:00", "12:00", "15:00", "18:00", "21:00", "00:00", "03:00", "06:00", "09:00"]);
  const week = ticksOf("7d", rangeOf("7d", now));
  expect(week.every((t) => new Date(t.at).getHours() === 0)).toBe(true);
  expect(week.map((t) => t.label)).toEqual(["Wed", "Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed", "Thu"]);
});

test("midnights stay midnights when the clocks change", () => {
  const autumn = Date.parse("2026-10-24T12:00:00+02:00");
  expect(ticksOf("7d", rangeOf("7d", autumn)).every((t) => new Date(t.at).getHours() === 0)).toBe(true);
});
