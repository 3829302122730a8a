// Where things stand on the board's time axis, in percent of its width. Pure: the present is given.
import type { UsageWindow } from "../../api/types.ts";
import { DAY, HOUR, hourMinute, weekday } from "../../words/times.ts";
import { windowLength } from "../../words/windows.ts";

export const spans = ["6h", "24h", "7d"] as const;
export type Span = (typeof spans)[number];
export type Range = { from: number; to: number; now: number };
export type Tick = { at: number; left: number; label: string };
export type Bar = {
  left: number;
  width: number;
  /** It began before the axis does, or goes on after it. */
  openStart: boolean;
  openEnd: boolean;
  /** Where the reset is; absent when beyond the axis or unknown. */
  reset: number | null;
};

/** Five hours back show a five-hour window whole; the rest of the width is the future. */
const reach: Record<Span, { back: number; ahead: number; step: number }> = {
  "6h": { back: 5 * HOUR, ahead: 6 * HOUR, step: HOUR },
  "24h": { back: 6 * HOUR, ahead: 24 * HOUR, step: 3 * HOUR },
  "7d": { back: 2 * DAY, ahead: 7 * DAY, step: DAY },
};

export function rangeOf(span: Span, now: number): Range {
  return { from: now - reach[span].back, to: now + reach[span].ahead, now };
}

/** Percent from the left; outside of 0 to 100 where it is not on the axis. */
export function leftOf(at: number, range: Range): number {
  return ((at - range.from) / (range.to - range.from)) * 100;
}

/** Round hours or midnights of the reader's zone. */
export function ticksOf(span: Span, range: Range): Tick[] {
  const { step } = reach[span];
  const first = new Date(range.from);
  first.setMinutes(0, 0, 0);
  if (step >= 3 * HOUR) first.setHours(0);
  const ticks: Tick[] = [];
  for (let at = first.getTime(); at < range.to; at = step === DAY ? nextDay(at) : at + step) {
    if (at > range.from) ticks.push({ at, left: leftOf(at, range), label: step === DAY ? weekday(at) : hourMinute(at) });
  }
  return ticks;
}

function nextDay(at: number): number {
  // Not plus 24 hours: two days a year are longer or shorter.
  const day = new Date(at);
  day.setDate(day.getDate() + 1);
  return day.getTime();
}

export function barOf(window: UsageWindow, range: Range): Bar {
  const reset = window.resets_at ? Date.parse(window.resets_at) : null;
  const length = windowLength(window.name);
  const start = reset != null && length != null ? reset - length : reset != null ? Date.parse(window.learned_at) : null;
  const left = start == null ? 0 : clamp(leftOf(start, range));
  const right = reset == null ? 100 : clamp(leftOf(reset, range));
  return {
    left,
    width: Math.max(right - left, 0),
    openStart: start == null || start < range.from,
    openEnd: reset == null || reset > range.to,
    reset: reset != null && reset <= range.to && reset >= range.from ? right : null,
  };
}

function clamp(percent: number): number {
  return Math.min(100, Math.max(0, percent));
}
