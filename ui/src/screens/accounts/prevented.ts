// Days of prevented requests, put together by the path that they would have taken.
import type { Prevented } from "../../api/types.ts";
import { plural } from "../../words/numbers.ts";
import { dayOf } from "../../words/times.ts";

export type Path = {
  from: string; from_id: number; to: string; to_id: number; requests: number;
  /** Days on which it happened. */
  count: number;
  /** The latest of them. */
  last: string;
  /** A line for each, the latest first. */
  days: string;
};

/** The latest path first. Rows come so, day by day. */
export function pathsOf(rows: Prevented[]): Path[] {
  const paths = new Map<string, Path>();
  for (const { day, from, from_id, to, to_id, requests } of rows) {
    const line = `${dayOf(day)}: ${plural(requests, "request")}`;
    const known = paths.get(`${from_id} ${to_id}`);
    paths.set(`${from_id} ${to_id}`, known
      ? { ...known, requests: known.requests + requests, count: known.count + 1, days: `${known.days}\n${line}` }
      : { from, from_id, to, to_id, requests, count: 1, last: dayOf(day), days: line });
  }
  return [...paths.values()];
}
