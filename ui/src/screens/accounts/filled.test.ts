import { expect, test } from "vitest";
import type { Account } from "../../api/types.ts";
import { changesIn, filledIn, modelsIn, newAccountIn, openingIn, spillIn } from "./filled.ts";

const account = { id: 1, name: "Work", priority: 5, base_url: "https://a.example", models: { a: "b" } } as unknown as Account;
const filled = { name: "Work", base_url: "https://a.example", priority: "5", key: "" };

test("only what differs is sent", () => {
  expect(changesIn(filled, account)).toEqual({});
  expect(changesIn({ ...filled, name: " Job ", priority: "-3" }, account)).toEqual({ name: "Job", priority: -3 });
});

test("an emptied address is removed, an empty key is kept", () => {
  expect(changesIn({ ...filled, base_url: " " }, account)).toEqual({ base_url: "" });
  expect(changesIn({ ...filled, key: " sk-new " }, account)).toEqual({ key: "sk-new" });
});

test("an account is moved only where another pool was chosen", () => {
  const inPool = { ...account, pool_id: 2 } as Account;
  expect(changesIn({ ...filled, pool: "2" }, inPool)).toEqual({});
  expect(changesIn({ ...filled, pool: "1" }, inPool)).toEqual({ pool_id: 1 });
  expect(changesIn(filled, inPool)).toEqual({});
});

test("what an account does not take is sent only where it differs", () => {
  const form = new FormData();
  for (const [name, value] of [["lacks_images", "on"], ["lacks_betas", " context-1m-,\nfast-mode- "]] as const) form.append(name, value);
  const { lacks } = filledIn(form);
  expect(lacks).toEqual({ images: true, tools: false, betas: ["context-1m-", "fast-mode-"] });
  expect(changesIn({ ...filled, lacks }, account)).toEqual({ lacks });
  expect(changesIn({ ...filled, lacks }, { ...account, lacks } as Account)).toEqual({});
  expect(changesIn({ ...filled, lacks: { images: false, tools: false, betas: [] } }, account)).toEqual({});
});

test("a new account names an address only where one was typed", () => {
  expect(newAccountIn({ ...filled, provider: "anthropic", base_url: "", key: "sk" })).toEqual({ name: "Work", provider: "anthropic", priority: 5, key: "sk" });
});

test("plain text is allowed for an address that is sent, and by nobody but who ticked it", () => {
  const plain = { ...filled, base_url: "http://10.0.0.7", plaintext: true };
  expect(newAccountIn({ ...plain, provider: "anthropic" })).toMatchObject({ base_url: "http://10.0.0.7", allow_plaintext: true });
  expect(changesIn(plain, account)).toEqual({ base_url: "http://10.0.0.7", allow_plaintext: true });
  expect(changesIn({ ...plain, plaintext: false }, account)).toEqual({ base_url: "http://10.0.0.7" });
  expect(changesIn({ ...filled, plaintext: true }, account)).toEqual({});
});

test("models are read row by row, and sent only where one differs", () => {
  const form = new FormData();
  for (const [asked, sent] of [["a", " b "], ["", ""], ["c", ""]]) {
    form.append("asked", asked ?? "");
    form.append("sent", sent ?? "");
  }
  expect(modelsIn(form)).toEqual({ a: "b", c: "" });
  expect(changesIn(filled, account, { a: "b" })).toEqual({});
  expect(changesIn(filled, account, { a: "z" })).toEqual({ models: { a: "z" } });
  expect(changesIn(filled, account, {})).toEqual({ models: {} });
});

test("an account without a key of its own is sent without one", () => {
  expect(newAccountIn({ ...filled, provider: "claude-login", base_url: "" })).toEqual({ name: "Work", provider: "claude-login", priority: 5 });
});

test("the paths out of a sign-in are sent only where they differ, and a path to nobody is none", () => {
  const spills = (spill: Account["spill"]) => ({ ...account, spill }) as Account;
  const allowed_at = "2026-11-24T12:00:00Z";
  const open = spills({ all: null, accounts: [{ id: 2, allowed_at }, { id: 3, allowed_at }] });
  const choose = (word: string, ids: number[], from: Account) => changesIn({ ...filled, spill: { word, ids } }, from);
  expect(choose("some", [2, 3], open)).toEqual({});
  expect(choose("some", [3], open)).toEqual({ spill_to: [3] });
  expect(choose("some", [], open)).toEqual({ spill_to: "none" });
  expect(choose("all", [], open)).toEqual({ spill_to: "all" });
  expect(choose("none", [], account)).toEqual({});
  expect(choose("some", [], account)).toEqual({});
  expect(spillIn(spills({ all: allowed_at, accounts: [] }))).toEqual({ word: "all", ids: [] });
  expect(changesIn(filled, open)).toEqual({});
  expect(changesIn({ ...filled, paid: "plan" }, account)).toEqual({ paid: "plan" });
  expect(changesIn({ ...filled, paid: "auto" }, account)).toEqual({});
});

test("every account that was ticked is read from the form", () => {
  const form = new FormData();
  for (const [name, value] of [["name", "Mine"], ["priority", "0"], ["spill", "some"], ["spill_ids", "2"], ["spill_ids", "3"]]) form.append(name!, value!);
  expect(filledIn(form)).toEqual({ name: "Mine", base_url: "", priority: "0", key: "", spill: { word: "some", ids: [2, 3] } });
});

test("when windows are opened, and how often prompts are kept warm, is sent only where it differs", () => {
  const opening = openingIn(account);
  expect(opening).toEqual({ when: "off", days: ["monday", "tuesday", "wednesday", "thursday", "friday"], time: "07:00" });
  expect(changesIn({ ...filled, opening, warm: "0" }, account)).toEqual({});
  expect(changesIn({ ...filled, opening: { ...opening, when: "at_reset" }, warm: "3" }, account)).toEqual({ open_window: { when: "at_reset" }, keep_warm: 3 });
  const weekly = { ...account, open_window: { when: "at", days: ["monday"], time: "07:00" }, keep_warm: 3 } as Account;
  expect(changesIn({ ...filled, opening: openingIn(weekly), warm: "3" }, weekly)).toEqual({});
  expect(changesIn({ ...filled, opening: { ...opening, when: "off" }, warm: "0" }, weekly)).toEqual({ open_window: { when: "off" }, keep_warm: 0 });
  const days = { when: "at", days: ["tuesday", "monday"], time: "06:30" } as const;
  expect(changesIn({ ...filled, opening: { ...days, days: [...days.days] } }, weekly)).toEqual({ open_window: { ...days, days: ["monday", "tuesday"] } });
});

test("the fields of what is done by itself are read", () => {
  const form = new FormData();
  for (const [name, value] of [["open_when", "at"], ["open_days", "monday"], ["open_days", "friday"], ["open_time", "07:00"], ["keep_warm", "2"]] as const) form.append(name, value);
  expect(filledIn(form)).toMatchObject({ opening: { when: "at", days: ["monday", "friday"], time: "07:00" }, warm: "2" });
});
