import { expect, test } from "vitest";
import type { Job } from "../../api/types.ts";
import { isBad, lastWords, limitWords, nextWords, troubleWords } from "./words.ts";

const NOW = Date.parse("2026-11-26T11:41:20Z");
const at = (ms: number) => new Date(NOW + ms).toISOString();
const last = (rest: Partial<NonNullable<Job["last"]>>): Pick<Job, "last"> => ({ last: { began_at: at(-60_000), outcome: "fine", says: "", took_ms: 3200, ...rest } });
const plain = (text: string) => text.replaceAll(/[\u202f\u00a0]/g, " ");

test("a last run is told with its time, its outcome and how long it took", () => {
  expect(lastWords({}, NOW)).toBe("Never");
  expect(plain(lastWords(last({}), NOW))).toMatch(/^\d\d:\d\d, well, 3.2 s$/);
  expect(plain(lastWords(last({ outcome: "interrupted", took_ms: null }), NOW))).toMatch(/^\d\d:\d\d, interrupted$/);
});

test("the next run is a time, or the reason why there is none", () => {
  expect(plain(nextWords({ next_at: at(38 * 60_000) }, NOW))).toMatch(/^\d\d:\d\d \(in 38 min\)$/);
  expect(nextWords({ running_since: at(-1000) }, NOW)).toMatch(/^Running since/);
  expect(nextWords({ off: "limits.keep_days is 0", next_at: at(1000) }, NOW)).toBe("Off");
  expect(nextWords({}, NOW)).toBe("When it is wanted");
});

test("what went wrong is told also after a run that went well, and not twice", () => {
  const trouble = { began_at: at(-3_600_000), outcome: "failed" as const, says: "work: it answered 401.", took_ms: 1 };
  expect(plain(troubleWords({ ...last({}), last_trouble: trouble }, NOW) ?? "")).toMatch(/^\d\d:\d\d, failed: work: it answered 401\.$/);
  expect(troubleWords({ last: trouble, last_trouble: trouble }, NOW)).toBeNull();
  expect(troubleWords(last({}), NOW)).toBeNull();
  expect(plain(limitWords({ limit_seconds: 1800 }))).toBe("at most 30 min");
});

test("what went wrong is marked, and what was only stopped is not", () => {
  expect((["fine", "stopped", "trouble", "failed", "panicked", "timed_out", "interrupted"] as const).filter(isBad)).toEqual(["trouble", "failed", "panicked", "timed_out", "interrupted"]);
});
