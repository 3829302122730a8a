import { expect, test } from "vitest";
import type { Account } from "../../api/types.ts";
import { changesIn, modelsIn, newAccountIn } from "./filled.ts";

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

test("a new account names an address only where one was typed", () => {
  expect(newAccountIn({ ...filled, provider: "anthropic", base_url: "", key: "sk" })).toEqual({ name: "Work", provider: "anthropic", priority: 5, key: "sk" });
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
