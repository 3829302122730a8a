import { expect, test } from "vitest";
import type { Account, Binding, ClientKey, Pool, Route } from "../../api/types.ts";
import { bindingFault, inRank, leadsTo, routeFaults, type World } from "./faults.ts";

const account = (id: number, name: string, state: Account["standing"]["state"] = "ready") => ({ id, name, standing: { state } }) as Account;
const pool = (id: number, name: string, ...accounts: number[]) => ({ id, name, policy: "priority", accounts }) as unknown as Pool;
const route = (id: number, slots: Route["slots"], rest: Partial<Route> = {}): Route =>
  ({ id, name: `route ${id}`, models: "opus", slots, enabled: true, falls_through: false, created_at: "", ...rest });
const binding = (id: number, subject: Binding["subject"], pool_id: number, strict = false): Binding =>
  ({ id, subject, what: JSON.stringify(subject), pool_id, pool: null, strict, created_at: "" });

const world = (rest: Partial<World> = {}): World => ({
  accounts: [account(1, "Work"), account(2, "Spare", "paused"), account(3, "Old", "needs_sign_in"), account(4, "Tired", "cooling")],
  pools: [pool(1, "main", 1), pool(2, "Nights", 2), pool(3, "Empty"), pool(4, "Tired ones", 4), pool(5, "Off", 2, 3)],
  routes: [], bindings: [], clientKeys: [{ id: 7, name: "CI", pools: [2] } as ClientKey], askedOnly: false, ...rest,
});

test("a route whose every slot needs a person leads nowhere, and says why", () => {
  const slots = [{ account_id: 2 }, { account_id: 9 }, { pool_id: 3 }, { pool_id: 2 }, { pool_id: 5 }, { pool_id: 8 }, { account_id: 3 }];
  const faults = routeFaults(route(1, slots), world());
  expect(faults.slots).toEqual([
    "Spare is paused", "account 9 is gone", "pool Empty has no account", "Spare, alone in pool Nights, is paused",
    "everybody in pool Off is paused or needs a sign-in", "pool 8 is gone", "Old needs a sign-in",
  ]);
  expect(faults.nowhere).toMatch(/^Leads nowhere: Spare is paused, account 9 is gone, .* and Old needs a sign-in\. Its requests are refused\.$/);
  expect(routeFaults(route(1, slots.slice(0, 1), { falls_through: true }), world()).nowhere).toContain("go on to the usual selection");
  expect(routeFaults(route(1, slots.slice(0, 1), { enabled: false }), world()).nowhere).toContain("It is switched off");
});

test("one slot that can serve is enough, and who rests is not gone", () => {
  expect(routeFaults(route(1, [{ account_id: 9 }, { account_id: 4 }]), world()).nowhere).toBeNull();
  expect(routeFaults(route(1, [{ pool_id: 4 }]), world()).slots).toEqual([null]);
});

test("a slot with a model of its own serves nothing while only the model that was asked for is served", () => {
  const cheap = route(1, [{ account_id: 1, model: "claude-haiku-4-5" }]);
  expect(routeFaults(cheap, world()).nowhere).toBeNull();
  expect(routeFaults(cheap, world({ askedOnly: true })).nowhere).toContain("Work would be asked for claude-haiku-4-5");
  expect(routeFaults({ ...cheap, models: "claude-haiku-4-5" }, world({ askedOnly: true })).nowhere).toBeNull();
});

test("a younger route for the same models is never taken, unless the older one is off", () => {
  const [older, younger] = [route(1, [{ account_id: 1 }]), route(2, [{ account_id: 4 }], { models: "Opus" })];
  expect(routeFaults(younger, world({ routes: [older, younger] })).never).toBe("Never taken: route 1 is for the same models and is older.");
  expect(routeFaults(older, world({ routes: [older, younger] })).never).toBeNull();
  expect(routeFaults(younger, world({ routes: [{ ...older, enabled: false }, younger] })).never).toBeNull();
});

test("a binding says what it comes to where its pool is gone, empty or away", () => {
  const fault = (pool_id: number, strict = false) => bindingFault(binding(1, { project: "shop" }, pool_id, strict), world());
  expect(fault(1)).toBeNull();
  expect(fault(8)).toBe("Its pool is gone: it binds nothing.");
  expect(fault(8, true)).toBe("Its pool is gone: what is bound so is refused.");
  expect(fault(3)).toBe("Pool Empty has no account: main serves instead.");
  expect(fault(2, true)).toBe("Spare, alone in pool Nights, is paused: what is bound so is refused.");
  expect(bindingFault(binding(1, { key: 8 }, 1), world())).toContain("was revoked");
  expect(bindingFault(binding(1, { key: 7 }, 1), world())).toBeNull();
});

test("main can't stand in for itself", () => {
  const asleep = world({ pools: [pool(1, "main", 2)] });
  expect(bindingFault(binding(1, { project: "shop" }, 1), asleep)).toBe("Spare, alone in pool main, is paused.");
});

test("what leads to a pool is named: routes, bindings and keys", () => {
  const nights = pool(2, "Nights");
  const leads = { ...world(), routes: [route(1, [{ pool_id: 2 }], { enabled: false }), route(2, [{ pool_id: 1 }])], bindings: [binding(1, { project: "shop" }, 2, true)] };
  expect(leadsTo(nights, leads)).toEqual(["route route 1, which is off", '{"project":"shop"}, strictly', "what key CI allows"]);
});

test("bindings stand in the order in which they count", () => {
  const all = [
    binding(1, { role: "main" }, 1), binding(2, { project: "a" }, 1), binding(3, { directory: "/work" }, 1),
    binding(4, { directory: "/work/shop" }, 1), binding(5, { agent_type: "x" }, 1), binding(6, { key: 7 }, 1), binding(7, { role: "subagent" }, 1, true),
  ];
  expect(inRank(all).map(({ id }) => id)).toEqual([7, 6, 4, 3, 2, 5, 1]);
});
