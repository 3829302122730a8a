// The four standings of an account in words. Their colours and shapes are drawn by parts/Standing.
import type { Account, Standing } from "../api/types.ts";
import { clock, until } from "./times.ts";

export const standingWord: Record<Standing["state"], string> = {
  ready: "Ready",
  cooling: "Cooling",
  paused: "Paused",
  needs_sign_in: "Needs sign-in",
};

/** What stands behind the word: "until 14:20 (in 38 min)", "by you". */
export function standingDetail(standing: Standing, now: number): string {
  if (standing.state === "cooling" && standing.until) return `until ${until(standing.until, now)}`;
  if (standing.state === "paused" && standing.paused_by === "user") return "by you";
  return "";
}

/** One line for a narrow place: "back 14:20". */
export function standingBrief(standing: Standing, now: number): string {
  if (standing.state === "cooling" && standing.until) return `back ${clock(standing.until, now)}`;
  return standingWord[standing.state];
}

/** Lower priority goes first; equal ones stay in the order of their age. */
export function inOrder(accounts: Account[]): Account[] {
  return [...accounts].sort((a, b) => a.priority - b.priority || a.id - b.id);
}
