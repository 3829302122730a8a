import { describe, expect, test } from "vitest";
import type { Account, Attempt, Request, UsageWindow } from "../api/types.ts";
import { isRescued, outcome, thenWord, verdictWord } from "./endings.ts";
import { bytes, dollars, exact, plural, share, short, tokens } from "./numbers.ts";
import { hindrances, inOrder, shownStanding, standingBrief, standingDetail } from "./standings.ts";
import { clock, duration, until } from "./times.ts";
import { binding, inTrackOrder, levelOf, used, windowLength, windowTitle } from "./windows.ts";

/** Non-breaking spaces of all widths as plain ones, so that expectations can be read. */
const plain = (text: string) => text.replace(/[\u202f\u00a0]/g, " ");

describe("numbers", () => {
  test.each([
    [0, "0"], [812, "812"], [999, "999"], [1_234, "1.2 k"], [48_321, "48 k"], [999_499, "999 k"], [999_500, "1.0 M"],
    [1_200_000, "1.2 M"], [18_402_110, "18.4 M"], [2_840_211_000, "2.8 B"],
  ])("%d reads %s", (n, read) => expect(plain(short(n))).toBe(read));

  test("unknown is a dash and never zero", () => {
    expect([short(null), short(undefined), exact(null), share(null), duration(null), clock(null, 0)]).toEqual(Array(6).fill("–"));
  });

  test.each([[0, "0 %"], [0.004, "<1 %"], [0.29, "29 %"], [0.62, "62 %"], [0.999, "99 %"], [1, "100 %"]])(
    "a share of %d reads %s", (part, read) => expect(plain(share(part))).toBe(read));

  test("one token is not told as 1 tokens", () => {
    expect([tokens(0), tokens(1), tokens(1200), tokens(null)].map(plain)).toEqual(["0 tokens", "1 token", "1.2 k tokens", "– tokens"]);
  });

  test("bytes and plurals", () => {
    expect([bytes(512), bytes(48_000), bytes(3_100_000)].map(plain)).toEqual(["512 B", "48 KB", "3.1 MB"]);
    expect([plural(1, "request"), plural(1200, "request"), plural(2, "match", "matches")]).toEqual(["1 request", "1,200 requests", "2 matches"]);
  });
});

describe("times", () => {
  const now = Date.parse("2026-11-26T12:00:00+01:00");

  test.each([
    [0, "0 ms"], [840, "840 ms"], [999.6, "1.0 s"], [3_200, "3.2 s"], [38_000, "38 s"], [59_600, "1 min"], [38 * 60_000, "38 min"],
    [125 * 60_000, "2 h 5 min"], [120 * 60_000, "2 h"], [76 * 3_600_000, "3 d 4 h"],
  ])("%d ms reads %s", (ms, read) => expect(plain(duration(ms))).toBe(read));

  test("a time of today stands alone, a near one has its weekday, a far one its date", () => {
    expect(clock("2026-11-26T13:20:00Z", now)).toBe("14:20");
    expect(clock("2026-11-28T13:20:00Z", now)).toBe("Sat 14:20");
    expect(clock("2026-12-12T13:20:00Z", now)).toBe("12 Dec 14:20");
  });

  test("a time ahead says how long it is until then, a past one does not", () => {
    expect(plain(until("2026-11-26T12:38:00+01:00", now))).toBe("12:38 (in 38 min)");
    expect(until("2026-11-26T11:38:00+01:00", now)).toBe("11:38");
  });
});

const window = (name: string, more: Partial<UsageWindow> = {}): UsageWindow => ({
  name, family: null, limits: "messages", utilization: 0.5, resets_at: null, spent: false, again_at: null, source: "header", learned_at: "2026-11-26T11:00:00Z", ...more,
});

describe("windows", () => {
  test("a window's name tells its title and length", () => {
    expect(["5h", "7d", "7d_opus", "requests", "input-tokens_opus"].map((name) => plain(windowTitle({ name, family: null }))))
      .toEqual(["5 h", "7 d", "7 d Opus", "requests", "input tokens opus"]);
    expect(["5h", "7d_opus", "requests"].map(windowLength)).toEqual([5 * 3_600_000, 7 * 86_400_000, null]);
  });

  test("an unknown utilisation is neither empty nor full", () => {
    expect([levelOf(window("5h", { utilization: null })), used(window("5h", { utilization: null }))]).toEqual(["unknown", "–"]);
  });

  test("a refusal counts as spent whatever the figure says", () => {
    expect([levelOf(window("5h", { utilization: 0.4, spent: true })), used(window("5h", { utilization: 0.4, spent: true }))]).toEqual(["spent", "spent"]);
  });

  test("the window that binds is the fullest one, and a spent one before all", () => {
    const windows = [window("5h", { utilization: 0.99 }), window("7d", { utilization: 0.3, spent: true }), window("x", { utilization: null })];
    expect(binding(windows)?.name).toBe("7d");
    expect(binding([])).toBeUndefined();
    expect(binding([window("count_tokens-requests", { limits: "counts" }), window("priority-input-tokens", { limits: null })])).toBeUndefined();
  });

  test("tracks go from short to long and keep unknown lengths for last", () => {
    expect(inTrackOrder(["requests", "7d_opus", "7d", "5h"].map((n) => window(n))).map((w) => w.name)).toEqual(["5h", "7d", "7d_opus", "requests"]);
  });
});

describe("standings", () => {
  const now = Date.parse("2026-11-26T12:00:00+01:00");

  test("a cooling account says when it is back", () => {
    const cooling = { state: "cooling", until: "2026-11-26T12:30:00+01:00" } as const;
    expect(plain(standingDetail(cooling, now))).toBe("until 12:30 (in 30 min)");
    expect(standingBrief(cooling, now)).toBe("back 12:30");
    expect(standingBrief({ state: "cooling" }, now)).toBe("Cooling");
  });

  test("by whom an account is paused is not told twice", () => {
    const paused = (reason: string, paused_by: unknown) => ({ standing: { state: "paused", reason, until: null, paused_by }, kept_back: null }) as unknown as Account;
    const told = (reason: string, by: unknown = "user") => {
      const shown = shownStanding(paused(reason, by));
      return [standingDetail(shown, now), shown.reason];
    };
    expect(told("paused by you")).toEqual(["by you", null]);
    expect(told("paused on the page", "page")).toEqual(["on the page", null]);
    expect(told("paused by a command or a script", "program")).toEqual(["by a command or a script", null]);
    expect(told("until the invoice is paid")).toEqual(["by you", "until the invoice is paid"]);
    expect(told("paused with the key CI", { key: "CI" })).toEqual(["with the key CI", null]);
    expect(told("nightly", { key: "CI" })).toEqual(["with the key CI", "nightly"]);
  });

  test("an account that is kept back is not shown as ready", () => {
    const ready = { state: "ready", reason: null, until: null, paused_by: null };
    const kept_back = { reason: "its daily cap is reached", until: "2026-11-26T12:30:00+01:00", family: null };
    const account = (more: object) => ({ standing: ready, kept_back: null, trouble_until: null, ...more }) as unknown as Account;
    const shown = shownStanding(account({ kept_back }));
    expect([shown.state, shown.reason]).toEqual(["kept_back", "its daily cap is reached"]);
    expect(plain(standingDetail(shown, now))).toBe("until 12:30 (in 30 min)");
    const ofOpus = account({ kept_back: { ...kept_back, family: "opus" }, trouble_until: kept_back.until });
    expect(shownStanding(ofOpus).state).toBe("ready");
    expect(hindrances(ofOpus, now).map(plain)).toEqual([
      "Kept back from opus: its daily cap is reached, until 12:30 (in 30 min)",
      "Its upstream is in trouble until 12:30 (in 30 min); it is still tried.",
    ]);
  });

  test("a family that is out of an account that stands ready is told with its reason", () => {
    const out = { family: "opus", reason: "its 7d_opus window is spent", until: "2026-11-26T12:30:00+01:00" };
    const account = { standing: { state: "ready" }, held: null, trouble_until: null, families_out: [out] } as unknown as Account;
    expect(hindrances(account, now).map(plain)).toEqual(["Opus: its 7d_opus window is spent, until 12:30 (in 30 min)"]);
    expect(hindrances({ ...account, families_out: [] }, now)).toEqual([]);
  });

  test("accounts stand by priority and then by age", () => {
    const accounts = [[3, 10], [2, 10], [1, 20], [4, 0]].map(([id, priority]) => ({ id, priority }) as Account);
    expect(inOrder(accounts).map((a) => a.id)).toEqual([4, 2, 3, 1]);
  });
});

describe("endings", () => {
  const request = (more: Partial<Request>): Request =>
    ({ id: "req_1", attempts: [], usage: {}, ending: "complete", status: 200, account: "Spare", ...more }) as Request;
  const tried = (account: string, verdict: Attempt["verdict"]) => ({ account, verdict, began_ms: 0, took_ms: 1 });

  test("a request is rescued when another account failed before", () => {
    expect(isRescued(request({ attempts: [tried("Work", "quota_spent"), tried("Spare", "fine")] }))).toBe(true);
    expect(isRescued(request({ attempts: [tried("Spare", "weather"), tried("Spare", "fine")] }))).toBe(false);
    expect(isRescued(request({ ending: "upstream_cut", attempts: [tried("Work", "weather"), tried("Spare", "fine")] }))).toBe(false);
  });

  test("an answer that was cut is not shown as fine", () => {
    expect(thenWord(request({ ending: "upstream_cut" }))).toBe(", then cut short");
    expect(thenWord(request({}))).toBe("");
  });

  test("a running request says how far it is", () => {
    expect(outcome(request({ ending: null, first_byte_ms: null })).word).toBe("Waiting");
    expect(outcome(request({ ending: null, first_byte_ms: 12 })).word).toBe("Streaming");
  });

  test("a failure carries its status and its reason", () => {
    expect(outcome(request({ ending: "upstream_error", status: 529, error: "Overloaded." }))).toEqual({ word: "Error 529", meaning: "Overloaded.", tone: "bad" });
    expect(outcome(request({ ending: "client_left" })).word).toBe("Client left");
  });

  test("a verdict that is new to the page is shown as it came", () => {
    expect(verdictWord({ verdict: "quota_spent" })).toBe("usage window spent");
    expect(verdictWord({ verdict: "gone_fishing" })).toBe("gone fishing");
  });
});

test("money reads as money, and what is not known is not free", () => {
  expect([0, 3.4167, 0.0013, 0.00001, null].map(dollars)).toEqual(["$0.00", "$3.42", "$0.0013", "$0.000010", "–"]);
});
