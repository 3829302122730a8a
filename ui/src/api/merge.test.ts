import { expect, test } from "vitest";
import { mergeRow, ROWS_KEPT, type Pages } from "./merge.ts";
import type { Request } from "./types.ts";

const row = (id: string, more: Partial<Request> = {}): Request => ({ id, ending: "complete", account: "Work", ...more }) as Request;
const pages = (...of: [ids: string[], next: string | null][]): Pages => ({
  pages: of.map(([ids, next]) => ({ requests: ids.map((id) => row(id)), next })),
  pageParams: of.map(() => null),
});
const ids = (of: Pages) => of.pages.map((page) => page.requests.map((each) => each.id));

test("a new request goes on top", () => {
  expect(ids(mergeRow(pages([["c", "b"], "b"], [["a"], null]), row("d"), {}))).toEqual([["d", "c", "b"], ["a"]]);
});

test("a request that moved on is replaced where it stands", () => {
  const after = mergeRow(pages([["c", "b"], null]), row("b", { status: 429 }), {});
  expect(ids(after)).toEqual([["c", "b"]]);
  expect(after.pages[0]?.requests[1]?.status).toBe(429);
});

test("events that come out of order keep the order of time", () => {
  expect(ids(mergeRow(pages([["d", "b"], null]), row("c"), {}))).toEqual([["d", "c", "b"]]);
});

test("a request older than what is loaded waits for its page", () => {
  const before = pages([["d", "c"], "c"]);
  expect(mergeRow(before, row("a"), {})).toBe(before);
  expect(ids(mergeRow(pages([["d", "c"], null]), row("a"), {}))).toEqual([["d", "c", "a"]]);
});

test("the first request of all fills an empty list", () => {
  expect(ids(mergeRow(pages([[], null]), row("a"), {}))).toEqual([["a"]]);
});

test("a list narrowed to an account or an ending takes only what belongs there", () => {
  const before = pages([["b"], null]);
  expect(mergeRow(before, row("c", { account: "Spare" }), { account: { id: 1, name: "Work" } })).toBe(before);
  expect(mergeRow(before, row("c", { ending: null }), { ending: "complete" })).toBe(before);
  expect(ids(mergeRow(before, row("c"), { account: { id: 1, name: "Work" }, ending: "complete" }))).toEqual([["c", "b"]]);
});

test("a request that ended leaves the list of running ones", () => {
  expect(ids(mergeRow(pages([["b", "a"], null]), row("b"), { running: true }))).toEqual([["a"]]);
});

test("the list does not grow without a bound, and what fell off can be loaded again", () => {
  const many = Array.from({ length: ROWS_KEPT }, (_, i) => `r${String(ROWS_KEPT - i).padStart(5, "0")}`);
  const after = mergeRow(pages([many, null]), row("s"), {});
  expect(after.pages[0]?.requests).toHaveLength(ROWS_KEPT);
  expect(after.pages[0]?.requests[0]?.id).toBe("s");
  expect(after.pages[0]?.next).toBe("r00002");
});

test("a page that is trimmed to nothing goes, and the one before it knows where to read on", () => {
  const many = Array.from({ length: ROWS_KEPT - 1 }, (_, i) => `r${String(ROWS_KEPT - i).padStart(5, "0")}`);
  const after = mergeRow(pages([many, "x"], [["a"], null]), row("s"), {});
  expect(after.pages).toHaveLength(1);
  expect(after.pageParams).toHaveLength(1);
  expect(after.pages[0]?.next).toBe("r00002");
});
