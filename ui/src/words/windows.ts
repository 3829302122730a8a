// Usage windows in words and spans. A window's own name tells its length: `5h`, `7d`, `7d_opus`.
import type { UsageWindow } from "../api/types.ts";
import { share } from "./numbers.ts";
import { DAY, HOUR, MINUTE } from "./times.ts";

const units: Record<string, number> = { m: MINUTE, h: HOUR, d: DAY };
const named = /^(\d+)([mhd])(?:_(.+))?$/;

/** "5 h", "7 d Opus", "requests". */
export function windowTitle(window: Pick<UsageWindow, "name" | "family">): string {
  const match = named.exec(window.name);
  if (!match) return window.name.replaceAll(/[_-]/g, " ");
  const family = window.family ?? match[3];
  const span = `${match[1]}\u202f${match[2] === "m" ? "min" : match[2]}`;
  return family ? `${span} ${family[0]?.toUpperCase()}${family.slice(1)}` : span;
}

/** Milliseconds that it spans; unknown where its name does not say. */
export function windowLength(name: string): number | null {
  const match = named.exec(name);
  return match ? Number(match[1]) * (units[match[2] ?? ""] ?? 0) : null;
}

export type Level = "left" | "care" | "spent" | "unknown";

/** How much is left, as the colour of its bar. */
export function levelOf(window: UsageWindow): Level {
  if (window.spent || (window.utilization ?? 0) >= 1) return "spent";
  if (window.utilization == null) return "unknown";
  return window.utilization >= 0.8 ? "care" : "left";
}

/** "62 %", "spent", or "–" where the upstream has not said. */
export function used(window: UsageWindow): string {
  return levelOf(window) === "spent" ? "spent" : share(window.utilization);
}

/** Those that can stop a conversation: not the ones of counts, nor those beyond which it is served otherwise. */
export function limiting(windows: UsageWindow[]): UsageWindow[] {
  return windows.filter((window) => window.limits === "messages");
}

/** The window that stops the account first. */
export function binding(windows: UsageWindow[]): UsageWindow | undefined {
  const weight = (w: UsageWindow) => (w.spent ? 2 : (w.utilization ?? -1));
  return limiting(windows).reduce<UsageWindow | undefined>(
    (most, each) => (most && weight(most) >= weight(each) ? most : each),
    undefined,
  );
}

const rank = (name: string) => windowLength(name) ?? Number.MAX_SAFE_INTEGER;

/** Short windows first and those for all models before those for one, so that lanes read alike. */
export function inTrackOrder(windows: UsageWindow[]): UsageWindow[] {
  return [...windows].sort((a, b) => rank(a.name) - rank(b.name) || a.name.localeCompare(b.name));
}
