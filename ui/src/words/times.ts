// Says times the way a person reads them. `now` is always an argument; the zone is the reader's own.
import { UNKNOWN } from "./numbers.ts";

type Maybe = string | null | undefined;

const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

const thin = "\u202f";
const formats = {
  minute: new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }),
  second: new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }),
  weekday: new Intl.DateTimeFormat("en-GB", { weekday: "short" }),
  utcDay: new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short", timeZone: "UTC" }),
  date: new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" }),
  whole: new Intl.DateTimeFormat("en-GB", {
    weekday: "short", day: "numeric", month: "short", year: "numeric",
    hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", timeZoneName: "short",
  }),
};

/** 840 ms, 3.2 s, 38 s, 4 min, 2 h 5 min, 3 d 4 h. */
export function duration(ms: number | null | undefined): string {
  if (ms == null) return UNKNOWN;
  if (ms < 999.5) return `${Math.round(ms)}${thin}ms`;
  if (ms < 9950) return `${(ms / SECOND).toFixed(1)}${thin}s`;
  if (ms < 59_500) return `${Math.round(ms / SECOND)}${thin}s`;
  const minutes = Math.round(ms / MINUTE);
  if (minutes < 60) return `${minutes}${thin}min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return two(hours, "h", minutes % 60, "min");
  const whole = Math.round(ms / HOUR);
  return two(Math.floor(whole / 24), "d", whole % 24, "h");
}

function two(big: number, bigUnit: string, small: number, smallUnit: string): string {
  const head = `${big}${thin}${bigUnit}`;
  return small === 0 ? head : `${head}\u00a0${small}${thin}${smallUnit}`;
}

/** 14:20 today, "Thu 14:20" within six days, "3 Dec 14:20" beyond. */
export function clock(at: Maybe, now: number): string {
  if (!at) return UNKNOWN;
  const then = new Date(at);
  const time = formats.minute.format(then);
  if (then.toDateString() === new Date(now).toDateString()) return time;
  const near = Math.abs(then.getTime() - now) < 6 * DAY;
  return `${near ? formats.weekday.format(then) : formats.date.format(then)} ${time}`;
}

/** 14:20:05, for rows of one day. */
export function clockSeconds(at: string): string {
  return formats.second.format(new Date(at));
}

/** "(in 38 min)"; nothing once it is over or where it is not known. */
export function ahead(at: Maybe, now: number): string {
  const left = at ? Date.parse(at) - now : 0;
  return left > 0 ? `(in\u00a0${duration(left)})` : "";
}

/** "14:20 (in 38 min)"; once it is over, the time alone. */
export function until(at: Maybe, now: number): string {
  return `${clock(at, now)} ${ahead(at, now)}`.trimEnd();
}

/** The absolute time with its zone, for hover. */
export function exactTime(at: Maybe): string {
  return at ? formats.whole.format(new Date(at)) : "not known";
}

/** "Thu 26 Nov": a day that is UTC's, as days of sums are. */
export function dayOf(at: string): string {
  return formats.utcDay.format(new Date(at)).replace(",", "");
}

export function weekday(at: number): string {
  return formats.weekday.format(at);
}

export function hourMinute(at: number): string {
  return formats.minute.format(at);
}
