// From what was typed of an account's guards to what is sent, and back. The core judges it.
import type { Budget, Day, Guards, GuardsOrder, Peak, Reserve } from "../../api/types.ts";
import { week } from "../../words/guards.ts";

const spans = ["day", "week", "month"] as const;
type Caps = NonNullable<GuardsOrder["caps"]>;

const number = (text: FormDataEntryValue | null) => (String(text ?? "").trim() === "" ? null : Number(text));
const column = (form: FormData, name: string) => form.getAll(name).map((each) => String(each).trim());

/** A row without a percentage is none. */
function reservesIn(form: FormData): Reserve[] {
  const stops = column(form, "stop_at");
  return column(form, "window").flatMap((window, at) => {
    const stop_at = number(stops[at] ?? "");
    return stop_at == null ? [] : [{ window: window || null, stop_at }];
  });
}

function capsIn(form: FormData): Caps {
  const stated = spans.map((span) => {
    const cap = { tokens: number(form.get(`${span}_tokens`)), usd: number(form.get(`${span}_usd`)) };
    return [span, cap] as const;
  });
  return Object.fromEntries(stated.filter(([, { tokens, usd }]) => tokens != null || usd != null));
}

/** The boxes of a row are named by its number among the rows that were ever there. */
function peaksIn(form: FormData): Peak[] {
  const [from, to, zone, then] = ["from", "to", "zone", "then"].map((name) => column(form, name)) as [string[], string[], string[], string[]];
  return column(form, "peak").map((row, at) => ({
    days: week.filter((day) => form.getAll(`days_${row}`).includes(day)) as Day[],
    from: from[at] ?? "", to: to[at] ?? "", zone: zone[at] || null, then: then[at] as Peak["then"],
  }));
}

const cap = (budget: Budget | null | undefined) => budget && { tokens: budget.tokens ?? null, usd: budget.usd ?? null };

/** What is sent for guards as they are. */
export function orderOf(guards: Guards | null | undefined): Required<GuardsOrder> {
  const caps = spans.map((span) => [span, cap(guards?.caps[span])] as const).filter(([, one]) => one);
  const reserves = guards?.reserves ?? [];
  const peaks = guards?.peaks ?? [];
  return {
    reserves: reserves.map(({ window, stop_at }) => ({ window: window ?? null, stop_at })),
    caps: Object.fromEntries(caps),
    peaks: peaks.map(({ days, from, to, zone, then }) => ({ days: week.filter((day) => days.includes(day)), from, to, zone: zone ?? null, then })),
  };
}

/** Only the lists that differ: each replaces the one that was. */
export function guardsIn(form: FormData, guards: Guards | null | undefined): GuardsOrder {
  const before = orderOf(guards);
  const after: GuardsOrder = { reserves: reservesIn(form), caps: capsIn(form), peaks: peaksIn(form) };
  const differs = Object.entries(after).filter(([name, list]) => JSON.stringify(list) !== JSON.stringify(before[name as keyof GuardsOrder]));
  return Object.fromEntries(differs);
}
