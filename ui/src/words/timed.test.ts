import { expect, test } from "vitest";
import type { Account } from "../api/types.ts";
import { timedWords } from "./timed.ts";

const now = Date.parse("2026-11-26T11:41:20Z");
const words = (rest: object) => timedWords(rest as Account, now);

test("of an account with which nothing is done nothing is said", () => {
  expect(words({})).toEqual([]);
  expect(words({ open_window: null, opening: { opened_at: "2026-11-26T11:00:00Z", next_at: null, kept_back: null }, keep_warm: null })).toEqual([]);
});

test("what is done is told with what keeps it back", () => {
  const opening = { opened_at: null, next_at: null, kept_back: "its daily cap is reached" };
  expect(words({ open_window: { when: "at_reset" }, opening, keep_warm: 3 })).toEqual([
    "Windows are opened at each reset", "Kept back: its daily cap is reached", "Prompts are kept warm 3 times",
  ]);
  expect(words({ open_window: { when: "at", days: ["tuesday", "monday"], time: "07:00" } })).toEqual(["Windows are opened Mon, Tue at 07:00"]);
});

test("a usage endpoint that fails is told of", () => {
  const usage = { asked_at: "2026-11-26T11:40:00Z", next_at: "2026-11-26T12:10:00Z", failure: "it answered 500" };
  expect(words({ usage })[0]).toMatch(/^What it has used was not told .*: it answered 500$/);
  expect(words({ usage: { ...usage, failure: null } })).toEqual([]);
});
