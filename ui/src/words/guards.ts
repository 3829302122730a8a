// What is kept back of an account, in words: a line for each reserve, cap and hour.
import type { Account, Budget, Day } from "../api/types.ts";
import { dollars, plural, short, tokens } from "./numbers.ts";
import { capital } from "./plan.ts";

type Guards = NonNullable<Account["guards"]>;
type Peak = Guards["peaks"][number];

export const week = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"] as const satisfies Day[];

export function guardWords(guards: Guards): string[] {
  const { reserves, caps, peaks } = guards;
  const spans = [["today", caps.day], ["this week", caps.week], ["this month", caps.month]] as const;
  return [
    ...reserves.map(({ window, stop_at }) => `${window ?? "Every window"} stops at ${stop_at} %`),
    ...spans.flatMap(([span, cap]) => (cap ? [`${used(cap)} ${span}${unpriced(cap)}`] : [])),
    ...peaks.map((peak) => `${peak.then === "last" ? "Comes last" : "Not used"} ${hours(peak)}`),
  ];
}

/** "87 k of 2.0 M tokens", "$4.20 of $50.00". */
function used(cap: Budget): string {
  return [
    ...(cap.tokens == null ? [] : [`${short(cap.used_tokens)} of ${tokens(cap.tokens)}`]),
    ...(cap.usd == null ? [] : [`${dollars(cap.used_usd)} of ${dollars(cap.usd)}`]),
  ].join(", ");
}

/** What is in that sum for requests that are on no list. */
function unpriced(cap: Budget): string {
  if (cap.usd == null || !cap.unpriced_requests) return "";
  return `, ${plural(cap.unpriced_requests, "request")} without a known price counted as ${dollars(cap.unpriced_usd ?? 0)} at most`;
}

/** "Mon". */
export function dayWord(day: Day): string {
  return capital(day.slice(0, 3));
}

function hours({ days, from, to, zone }: Peak): string {
  const named = week.filter((day) => days.includes(day)).map(dayWord);
  return `${named.length === 7 ? "daily" : named.join(", ")} ${from}–${to === "00:00" ? "24:00" : to}${zone ? ` ${zone}` : ""}`;
}
