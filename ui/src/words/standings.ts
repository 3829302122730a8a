// The standings of an account in words, and what keeps back one that stands ready. Their colours and shapes are drawn
// by parts/Standing.
import type { Account, Standing } from "../api/types.ts";
import { capital } from "./plan.ts";
import { clock, until } from "./times.ts";

export type ShownState = Standing["state"] | "kept_back";
export type Shown = Pick<Standing, "reason" | "until" | "paused_by"> & { state: ShownState };

/** Its standing, or what a person keeps back of it where that alone keeps it from being asked. */
export function shownStanding({ standing, kept_back }: Account): Shown {
  // Where a person gave no reason, the core's says only what the mark and the words behind it say already.
  if (standing.state === "paused" && standing.reason === `paused ${byWhom(standing)}`) return { ...standing, reason: null };
  if (standing.state !== "ready" || !kept_back || kept_back.family) return standing;
  return { state: "kept_back", reason: kept_back.reason, until: kept_back.until, paused_by: null };
}

/** What else speaks against it now, each as a line. */
export function hindrances({ standing, kept_back, families_out = [], trouble_until }: Account, now: number): string[] {
  const lines = families_out.map(({ family, reason, until: back }) => `${capital(family)}: ${reason}${back ? `, until ${until(back, now)}` : ""}`);
  if (kept_back && (kept_back.family || standing.state !== "ready")) {
    lines.push(`${kept_back.family ? `Kept back from ${kept_back.family}: ` : ""}${kept_back.reason}${kept_back.until ? `, until ${until(kept_back.until, now)}` : ""}`);
  }
  if (trouble_until && Date.parse(trouble_until) > now) lines.push(`Its upstream is in trouble until ${until(trouble_until, now)}; it is still tried.`);
  return lines;
}

export const standingWord: Record<ShownState, string> = {
  ready: "Ready",
  kept_back: "Kept back",
  cooling: "Cooling",
  paused: "Paused",
  needs_sign_in: "Needs sign-in",
};

/** What stands behind the word: "until 14:20 (in 38 min)", "by you", "on the page". */
export function standingDetail(standing: Shown, now: number): string {
  if ((standing.state === "cooling" || standing.state === "kept_back") && standing.until) return `until ${until(standing.until, now)}`;
  return standing.state === "paused" ? byWhom(standing) : "";
}

function byWhom({ paused_by }: Pick<Standing, "paused_by">): string {
  if (!paused_by) return "";
  return typeof paused_by === "object" ? `with the key ${paused_by.key}` : through[paused_by];
}

const through = { user: "by you", page: "on the page", program: "by a command or a script" } as const;

/** One line for a narrow place: "back 14:20". */
export function standingBrief(standing: Shown, now: number): string {
  if ((standing.state === "cooling" || standing.state === "kept_back") && standing.until) return `back ${clock(standing.until, now)}`;
  return standingWord[standing.state];
}

/** Lower priority goes first; equal ones stay in the order of their age. */
export function inOrder(accounts: Account[]): Account[] {
  return [...accounts].sort((a, b) => a.priority - b.priority || a.id - b.id);
}
