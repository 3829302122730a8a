import { expect, test } from "vitest";
import type { Binding, Pool, Route } from "../../api/types.ts";
import { bindingChangesIn, describedIn, newBindingIn, newRouteIn, orderIn, poolChangesIn, routeChangesIn, targetOf } from "./filled.ts";

function form(fields: Record<string, string | string[]>): FormData {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) [value].flat().forEach((each) => data.append(name, each));
  return data;
}

const nights = { id: 2, name: "Nights", policy: "priority", accounts: [2, 3] } as unknown as Pool;

test("a pool sends what differs, and who moves in or back to main", () => {
  const changes = poolChangesIn(form({ name: " Nights ", policy: "headroom", accounts: ["2", "4"] }), nights);
  expect(changes).toEqual({ change: { policy: "headroom" }, moves: [{ account: 4, pool: 2 }, { account: 3, pool: 1 }] });
});

test("an account that comes in while the form is open is not sent out", () => {
  const opened = { ...nights, accounts: [2] };
  expect(poolChangesIn(form({ name: "Nights", policy: "priority", accounts: ["2"] }), opened).moves).toEqual([]);
});

test("nobody is sent out of main by leaving a box empty", () => {
  const main = { ...nights, id: 1, name: "main", accounts: [1] };
  expect(poolChangesIn(form({ name: "main", policy: "priority", accounts: [] }), main)).toEqual({ change: {}, moves: [] });
});

const slots = { slot_target: ["account:3", "pool:2"], slot_model: ["", " claude-haiku-4-5 "] };
const cheap: Route = {
  id: 1, name: "Cheap", models: "opus", enabled: true, falls_through: false, created_at: "",
  slots: [{ account_id: 3, name: "Work" }, { pool_id: 2, name: "Nights", model: "claude-haiku-4-5" }],
};

test("a route is sent with its slots in the order in which they stand", () => {
  expect(newRouteIn(form({ name: "Cheap", models: "opus", falls_through: "yes", ...slots }))).toEqual({
    name: "Cheap", models: "opus", enabled: true, falls_through: true, slots: [{ account_id: 3 }, { pool_id: 2, model: "claude-haiku-4-5" }],
  });
  expect(cheap.slots.map(targetOf)).toEqual(slots.slot_target);
});

test("a route that was not changed sends nothing, and a new order sends all slots", () => {
  expect(routeChangesIn(form({ name: "Cheap", models: "opus", falls_through: "no", ...slots }), cheap)).toEqual({});
  const turned = { slot_target: ["pool:2", "account:3"], slot_model: ["claude-haiku-4-5", ""] };
  expect(routeChangesIn(form({ name: "Cheap", models: "opus", falls_through: "no", ...turned }), cheap)).toEqual({
    slots: [{ pool_id: 2, model: "claude-haiku-4-5" }, { account_id: 3 }],
  });
});

test("a limit of silence is sent where one is typed, and taken back where it is emptied", () => {
  const fields = { name: "Cheap", models: "opus", falls_through: "no", ...slots };
  expect(newRouteIn(form({ ...fields, idle_seconds: " 45 " })).idle_seconds).toBe(45);
  expect(newRouteIn(form({ ...fields, idle_seconds: "" }))).not.toHaveProperty("idle_seconds");
  expect(routeChangesIn(form({ ...fields, idle_seconds: "45" }), cheap)).toEqual({ idle_seconds: 45 });
  expect(routeChangesIn(form({ ...fields, idle_seconds: "45" }), { ...cheap, idle_seconds: 45 })).toEqual({});
  expect(routeChangesIn(form({ ...fields, idle_seconds: "" }), { ...cheap, idle_seconds: 45 })).toEqual({ idle_seconds: 0 });
});

test("a slot without a target is left to the core to judge", () => {
  const { slots: sent } = newRouteIn(form({ name: "Cheap", models: "opus", slot_target: [""], slot_model: [""] }));
  expect(sent).toEqual([{}]);
});

test("each kind of subject is sent as the core knows it", () => {
  const subject = (kind: string, is: string) => newBindingIn(form({ kind, subject: is, pool: "2", strict: "no" })).subject;
  expect(subject("key", "7")).toEqual({ key: 7 });
  expect(subject("directory", " /work ")).toEqual({ directory: "/work" });
  expect(subject("project", "shop")).toEqual({ project: "shop" });
  expect(subject("agent_type", "reviewer")).toEqual({ agent_type: "reviewer" });
  expect(subject("role", "subagent")).toEqual({ role: "subagent" });
});

test("a binding sends only what differs, so that one to a pool that is gone can be loosened", () => {
  const bound = { id: 1, subject: { project: "shop" }, what: "project shop", pool_id: 9, strict: true } as Binding;
  expect(bindingChangesIn(form({ pool: "9", strict: "no" }), bound)).toEqual({ strict: false });
  expect(bindingChangesIn(form({ pool: "2", strict: "yes" }), bound)).toEqual({ pool_id: 2 });
});

test("a described request goes into the address and comes out of it as an order", () => {
  const described = describedIn(form({ model: "opus", tokens: "180000", project: "", tools: "on", login: "no", role: "" }));
  const params = new URLSearchParams(Object.entries(described).filter((pair): pair is [string, string] => pair[1] != null));
  expect(orderIn(params)).toMatchObject({ model: "opus", tokens: 180_000, project: null, tools: true, images: false, login: false, role: null });
  expect(orderIn(new URLSearchParams("model=opus")), "nothing was asked yet").toBeNull();
  expect(orderIn(new URLSearchParams("explain=1"))).toMatchObject({ model: null, tokens: null, login: null });
});
