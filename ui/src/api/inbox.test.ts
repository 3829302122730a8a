import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { inbox, ROWS_AT_ONCE, type Delivery } from "./inbox.ts";
import type { HeadgateEvent, Request } from "./types.ts";

beforeEach(() => { vi.useFakeTimers(); });
afterEach(() => { vi.useRealTimers(); });

const event = (id: string, status = 200) => ({ type: "request", request: { id, status } as Request }) as HeadgateEvent;
const delivery = () => ({ rows: vi.fn(), accounts: vi.fn(), keys: vi.fn(), plan: vi.fn(), jobs: vi.fn(), profiles: vi.fn(), signIns: vi.fn(), status: vi.fn(), sums: vi.fn(), everything: vi.fn() }) satisfies Delivery;

test("a burst is one delivery, with each request as it was last", () => {
  const to = delivery();
  const box = inbox(to);
  [event("a"), event("b"), event("a", 529)].forEach(box.take);
  vi.advanceTimersByTime(100);
  expect(to.rows).toHaveBeenCalledExactlyOnceWith([{ id: "a", status: 529 }, { id: "b", status: 200 }]);
});

test("sums are read again at most once a second", () => {
  const to = delivery();
  const box = inbox(to);
  for (let i = 0; i < 30; i++) {
    box.take(event(`r${i}`));
    vi.advanceTimersByTime(100);
  }
  expect(to.sums).toHaveBeenCalledTimes(3);
});

test("more rows than can be merged mean reading everything again", () => {
  const to = delivery();
  const box = inbox(to);
  for (let i = 0; i <= ROWS_AT_ONCE * 3; i++) box.take(event(`r${i}`));
  vi.advanceTimersByTime(100);
  expect(to.rows).not.toHaveBeenCalled();
  expect(to.everything).toHaveBeenCalledOnce();
});

test("the other events say what to read again", () => {
  const to = delivery();
  const box = inbox(to);
  box.take({ type: "accounts" });
  box.take({ type: "jobs" });
  box.take({ type: "profiles" });
  box.take({ type: "status" });
  box.take({ type: "sign_ins" });
  box.take({ type: "behind" });
  expect([to.accounts, to.jobs, to.profiles, to.status, to.signIns, to.everything].map((f) => f.mock.calls.length)).toEqual([1, 1, 1, 1, 1, 1]);
});

test("a closed inbox delivers nothing more", () => {
  const to = delivery();
  const box = inbox(to);
  box.take(event("a"));
  box.close();
  vi.runAllTimers();
  expect(to.rows).not.toHaveBeenCalled();
});
