import { expect, test } from "vitest";
import type { Attempt, Request } from "../../api/types.ts";
import { filterIn, hasWords, heldRows } from "./filter.ts";
import { story } from "./story.ts";

const row = (id: string, more: Partial<Request> = {}): Request => ({ id, path: "/v1/messages", attempts: [], usage: {}, ...more }) as Request;

test("the address says what to ask the core and what to look for here", () => {
  const accounts = [{ id: 1, name: "Work" }, { id: 2, name: "Spare" }];
  expect(filterIn(new URLSearchParams("account=2&ending=client_left&q=%20opus%20"), accounts)).toEqual({ asked: { account: { id: 2, name: "Spare" }, ending: "client_left" }, words: "opus" });
  expect(filterIn(new URLSearchParams("ending=running"), accounts)).toEqual({ asked: { running: true }, words: "" });
  expect(filterIn(new URLSearchParams("account=x&ending=nonsense"), accounts)).toEqual({ asked: {}, words: "" });
});

test("an account that is gone can still be asked for", () => {
  expect(filterIn(new URLSearchParams("account=9"), [])).toEqual({ asked: { account: { id: 9, name: null } }, words: "" });
});

test("every word must be somewhere in the row, in any case", () => {
  const request = row("req_1", { model: "claude-opus-4-8", session: "5f0c", attempts: [{ account: "Spare", verdict: "fine", began_ms: 0, took_ms: 1 }] });
  expect([hasWords(request, "OPUS spare"), hasWords(request, "opus work"), hasWords(request, "")]).toEqual([true, false, true]);
});

test("a held list keeps its place and counts what is newer", () => {
  const rows = [row("d"), row("c"), row("b")];
  expect(heldRows(rows, "c")).toEqual({ shown: [rows[1], rows[2]], newer: 1 });
  expect(heldRows(rows, null)).toEqual({ shown: rows, newer: 0 });
});

test("a rescue is told as a story", () => {
  const attempts: Attempt[] = [
    { account: "Work", verdict: "quota_spent", began_ms: 0, took_ms: 1 },
    { account: "Spare", verdict: "fine", began_ms: 2, took_ms: 1 },
  ];
  expect(story(row("r", { attempts, account: "Spare", ending: "complete" }))).toBe("Work: usage window spent. Spare took over and answered in full.");
  expect(story(row("r", { ending: "refused", error: "The body is larger than 32 MiB." }))).toBe("The body is larger than 32 MiB.");
});
