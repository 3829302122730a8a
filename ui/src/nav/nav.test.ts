import { expect, test } from "vitest";
import { meaning } from "./keys.ts";
import { linkTo, readPlace, withParams } from "./place.ts";

test("the address holds screen and filters, there and back", () => {
  const link = linkTo("requests", { account: "Team & Co", ending: "client_left", q: "", open: null });
  expect(link).toBe("#/requests?account=Team+%26+Co&ending=client_left");
  const place = readPlace(link);
  expect(place.screen).toBe("requests");
  expect(place.params.get("account")).toBe("Team & Co");
});

test("an address that means nothing is the overview", () => {
  expect(["", "#", "#/", "#/nowhere", "#ticket=abc"].map((hash) => readPlace(hash).screen)).toEqual(Array(5).fill("overview"));
  expect(linkTo("overview")).toBe("#/");
});

test("opening a request keeps the filters, closing it leaves them", () => {
  const place = readPlace("#/requests?ending=complete");
  const opened = withParams(place, { open: "req_1" });
  expect(opened).toBe("#/requests?ending=complete&open=req_1");
  expect(withParams(readPlace(opened), { open: null })).toBe("#/requests?ending=complete");
});

const press = (key: string, led = false, more = {}) => meaning({ key, typing: false, modified: false, ...more }, led);

test("g leads, and the next key says where to", () => {
  expect(press("g")).toEqual({ do: "lead" });
  expect(["o", "a", "u", "r", "k", "p", "j"].map((key) => press(key, true)).map((act) => act?.do === "go" && act.screen)).toEqual(["overview", "accounts", "routing", "requests", "keys", "profiles", "jobs"]);
  expect(press("k")).toEqual({ do: "previous" });
  expect(press("x", true)).toBeNull();
  expect(press("o")).toBeNull();
});

test("typing in a field is left alone, but Escape leaves it", () => {
  expect(["g", "/", "j", "?"].map((key) => press(key, false, { typing: true }))).toEqual([null, null, null, null]);
  expect(press("Escape", false, { typing: true })).toEqual({ do: "leave" });
});

test("the browser's own shortcuts stay the browser's", () => {
  expect(press("r", true, { modified: true })).toBeNull();
  expect(press("/", false, { modified: true })).toBeNull();
});
