import { expect, test } from "vitest";
import type { Account } from "../../api/types.ts";
import { changesIn, newAccountIn } from "./filled.ts";

const account = { id: 1, name: "Work", priority: 5, base_url: "https://a.example" } as Account;
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
