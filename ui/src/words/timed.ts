// What Headgate does with an account by itself, in words: a line for each.
import type { Account } from "../api/types.ts";
import { dayWord, week } from "./guards.ts";
import { clock } from "./times.ts";

type When = NonNullable<Account["open_window"]>;

/** "at each reset", "Mon, Tue at 07:00". */
export function whenWords(when: When): string {
  if (when.when === "at_reset") return "at each reset";
  const named = week.filter((day) => when.days.includes(day)).map(dayWord);
  return `${named.length === 7 ? "daily" : named.join(", ")} at ${when.time}`;
}

export function timedWords({ open_window, opening, keep_warm, usage }: Account, now: number): string[] {
  const next = opening?.next_at ? `, next ${clock(opening.next_at, now)}` : "";
  return [
    ...(open_window ? [`Windows are opened ${whenWords(open_window)}${next}`] : []),
    ...(open_window && opening?.kept_back ? [`Kept back: ${opening.kept_back}`] : []),
    ...(keep_warm ? [`Prompts are kept warm ${keep_warm === 1 ? "once" : `${keep_warm} times`}`] : []),
    ...(usage?.failure ? [`What it has used was not told ${clock(usage.asked_at, now)}: ${usage.failure}`] : []),
  ];
}
