import { expect, test } from "vitest";
import type { Account, Provider, SignInDefinition, SignInView } from "../../api/types.ts";
import { definitionsFor, filledIn, orderIn, proposedWay, providersFor, waysBack, type Filled } from "./filled.ts";
import { asSentence, isOpen, overWords, renewalWords, signedInWords, whoseWords } from "./words.ts";

const definition = (rest: Partial<SignInDefinition>) =>
  ({ id: "oidc", title: "Own", providers: [], ways: ["loopback", "deep_link", "paste", "device"], wants_issuer: false, ...rest }) as SignInDefinition;
const providers = [
  { id: "anthropic", credential: "key" }, { id: "openrouter", credential: "key" }, { id: "claude-login", credential: "client" },
] as Provider[];
const filled: Filled = {
  name: "Work", provider: "anthropic", base_url: "", priority: "5", client_id: "headgate", client_secret: "", issuer: "https://id.example",
  tenant: "left over", scopes: "openid  email", way: "paste",
};

test("a new account is ordered with what its way to sign in asks for, and no more", () => {
  expect(orderIn(filled, definition({ wants_issuer: true, client: "get one" }))).toEqual({
    name: "Work", provider: "anthropic", priority: 5, with: "oidc", way: "paste", client_id: "headgate", issuer: "https://id.example", scopes: ["openid", "email"],
  });
  expect(orderIn({ ...filled, scopes: "" }, definition({ id: "router" }))).toEqual({ name: "Work", provider: "anthropic", priority: 5, with: "router", way: "paste" });
});

test("signing in again names the account and nothing of a new one", () => {
  const order = orderIn({ ...filled, client_id: "", scopes: "" }, definition({ client: "get one", tenant: "common" }), { id: 7 } as Account);
  expect(order).toEqual({ account: 7, with: "oidc", way: "paste", tenant: "left over" });
});

test("fields that are not shown are empty", () => {
  expect(Object.values(filledIn(new FormData())).every((text) => text === "")).toBe(true);
});

test("whose accounts are signed in to so", () => {
  expect(providersFor(definition({}), providers).map(({ id }) => id)).toEqual(["anthropic", "openrouter"]);
  const own = { id: "anthropic-compatible", credential: "key", base_url: null } as Provider;
  const usual = { id: "anthropic", credential: "key", base_url: "https://api.anthropic.com" } as Provider;
  expect(providersFor(definition({}), [usual, own])[0], "nobody's own address is proposed for a company's token").toBe(own);
  expect(providersFor(definition({ providers: ["openrouter", "gone"] }), providers).map(({ id }) => id)).toEqual(["openrouter"]);
  const all = [definition({}), definition({ id: "router", providers: ["openrouter"] })];
  expect(definitionsFor({ provider: "anthropic" } as Account, all, providers).map(({ id }) => id)).toEqual(["oidc"]);
  expect(definitionsFor({ provider: "claude-login" } as Account, all, providers)).toEqual([]);
  expect(definitionsFor(undefined, all, providers)).toBe(all);
});

test("a page of another machine proposes no way back to this one", () => {
  const { ways } = definition({});
  expect(proposedWay(ways, "127.0.0.1")).toBe("loopback");
  expect(proposedWay(ways, "tauri.localhost")).toBe("loopback");
  expect(proposedWay(ways, "desk.example")).toBe("paste");
  expect(proposedWay(["loopback", "device", "paste"], "desk.example")).toBe("device");
  expect(proposedWay(["loopback"], "desk.example")).toBe("loopback");
});

test("a way back into the window was offered where there is none", () => {
  expect(waysBack(definition({}), true)).toContain("deep_link");
  expect(waysBack(definition({}), false)).toEqual(["loopback", "paste", "device"]);
});

test("each ending of a sign-in has its words, and one that goes on has none", () => {
  const look = (rest: Partial<SignInView>) => ({ state: "waiting", ...rest }) as SignInView;
  expect(overWords(look({ state: "failed", message: "no such client" }))).toBe("no such client");
  expect(overWords(look({ state: "expired" }))).toMatch(/in time/);
  expect(overWords(look({ state: "cancelled" }))).toMatch(/called off/);
  for (const state of ["waiting", "answered", "exchanging", "done"] as const) expect(overWords(look({ state }))).toBeNull();
  expect(isOpen(look({ state: "answered" })) && !isOpen(look({ state: "exchanging" }))).toBe(true);
  expect(asSentence("nobody answered; begin again")).toBe("Nobody answered; begin again");
  expect(asSentence("id.example.com says no")).toBe("id.example.com says no");
  expect(whoseWords(look({ name: "New" }), [])).toBe("New");
  expect(whoseWords(look({ account: 3 }), [{ id: 3, name: "Work" } as Account])).toBe("Work");
});

test("a renewal that failed was told by the command line alone", () => {
  const now = Date.parse("2026-11-26T12:00:00Z");
  const renewal = { failure: "the provider is away", failed_at: "2026-11-26T11:59:00Z", next_at: "2026-11-26T12:10:00Z" };
  const account = (state: string, more: object) => ({ standing: { state }, renewal: { ...renewal, ...more } }) as Account;
  const [failed, next] = [/failed at \d\d:59: the provider is away/, /; tried again \d\d:10$/];
  expect(renewalWords(account("ready", {}), now)).toMatch(failed);
  expect(renewalWords(account("ready", {}), now)).toMatch(next);
  expect(renewalWords(account("ready", { failure: null }), now)).toBe("");
  expect(renewalWords(account("needs_sign_in", {}), now), "its standing says it").toBe("");
});

test("an account says how it is signed in, and until when if nobody renews it", () => {
  const now = Date.parse("2026-11-26T12:00:00Z");
  const account = (rest: object) => ({ sign_in: { with: "oidc", renews: true, expires_at: "2026-11-26T12:30:00Z", ...rest } }) as Account;
  expect(signedInWords({} as Account, [], now)).toBe("");
  expect(signedInWords(account({}), [definition({})], now)).toBe("Signed in with Own");
  expect(signedInWords(account({ renews: false }), [definition({})], now)).toContain("until");
  expect(signedInWords(account({}), [], now), "a definition that is gone").toBe("Signed in with oidc");
});
