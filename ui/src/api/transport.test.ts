import { describe, expect, test, vi } from "vitest";
import { answer, apiOver, ProblemError } from "./client.ts";
import { backOff, httpTransport } from "./http.ts";
import { ipcTransport, type Bridge } from "./ipc.ts";
import { keptToken, openSession, ticketIn, type Tab } from "./session.ts";
import { sseReader } from "./sse.ts";
import { isInWindow } from "./transport.ts";
import type { HeadgateEvent } from "./types.ts";

function tab(hash: string, kept: Record<string, string> = {}) {
  const replaceState = vi.fn();
  const sessionStorage = {
    getItem: (name: string) => kept[name] ?? null,
    setItem: (name: string, value: string) => { kept[name] = value; },
    removeItem: (name: string) => { delete kept[name]; },
  };
  return { location: { hash, pathname: "/", search: "" }, history: { replaceState }, sessionStorage } satisfies Tab;
}

describe("the session of a tab", () => {
  test("a ticket is taken out of the address before it is traded", async () => {
    const page = tab("#ticket=abc-123");
    const trade = vi.fn(async () => {
      expect(page.history.replaceState, "the address bar still holds the ticket").toHaveBeenCalledWith(null, "", "/#/");
      return "the-token";
    });
    await openSession(page, trade);
    expect(trade).toHaveBeenCalledExactlyOnceWith("abc-123");
    expect(keptToken(page)).toBe("the-token");
  });

  test("a tab without a ticket keeps what it has and its address", async () => {
    const page = tab("#/accounts", { "headgate-token": "kept" });
    await openSession(page, async () => { throw new Error("nothing to trade"); });
    expect(keptToken(page)).toBe("kept");
    expect(page.history.replaceState).not.toHaveBeenCalled();
  });

  test("a ticket that is not taken does not cost the token that the tab has", async () => {
    const page = tab("#ticket=used", { "headgate-token": "kept" });
    await openSession(page, async () => null);
    expect(keptToken(page)).toBe("kept");
  });

  test("only a ticket is a ticket", () => {
    expect([ticketIn("#/requests?q=ticket=1"), ticketIn(""), ticketIn("#ticket=a&x=1")]).toEqual([null, null, "a"]);
  });
});

describe("transports", () => {
  test("the window is recognised by what Tauri puts there", () => {
    expect([isInWindow({}), isInWindow({ __TAURI_INTERNALS__: {} })]).toEqual([false, true]);
  });

  test("over HTTP every call carries the token, and a refusal says that it is stale", async () => {
    const onStale = vi.fn();
    const seen: (string | null)[] = [];
    const fetch = vi.fn(async (request: Request) => {
      seen.push(request.headers.get("authorization"));
      return Response.json({ code: "unauthorized", message: "Fetch a fresh link." }, { status: 401 });
    });
    const api = apiOver(httpTransport({ base: "http://core", token: () => "t", onStale, fetch: fetch as typeof globalThis.fetch }));
    await expect(answer(api.GET("/api/v1/status"))).rejects.toThrow("Fetch a fresh link.");
    expect(seen).toEqual(["Bearer t"]);
    expect(onStale).toHaveBeenCalledOnce();
  });

  test("in the window a call is one command with path, query and body", async () => {
    const invoke = vi.fn(async () => ({ status: 409, body: '{"code":"name_taken","message":"Work exists already."}' }));
    const api = apiOver(ipcTransport({ invoke, listen: vi.fn() } as unknown as Bridge));
    const call = answer(api.PATCH("/api/v1/accounts/{id}", { params: { path: { id: 7 } }, body: { name: "Work" } }));
    await expect(call).rejects.toMatchObject({ status: 409, code: "name_taken", message: "Work exists already." });
    expect(invoke).toHaveBeenCalledWith("api", { method: "PATCH", path: "/api/v1/accounts/7", body: '{"name":"Work"}' });
    await answer(api.GET("/api/v1/requests", { params: { query: { limit: 5, before: "req_1" } } })).catch(() => undefined);
    expect(invoke).toHaveBeenLastCalledWith("api", { method: "GET", path: "/api/v1/requests?limit=5&before=req_1", body: null });
  });

  test("in the window an answer without content is a success", async () => {
    const bridge = { invoke: async () => ({ status: 204, body: "" }), listen: vi.fn() } as unknown as Bridge;
    await expect(answer(apiOver(ipcTransport(bridge)).DELETE("/api/v1/accounts/{id}", { params: { path: { id: 1 } } }))).resolves.toBeUndefined();
  });

  test("a core that does not answer is a sentence too", async () => {
    const fetch = vi.fn(async () => { throw new TypeError("fetch failed"); });
    const api = apiOver(httpTransport({ base: "http://core", token: () => null, onStale: vi.fn(), fetch }));
    const problem = await answer(api.GET("/api/v1/status")).catch((error: unknown) => error);
    expect(problem).toBeInstanceOf(ProblemError);
    expect((problem as ProblemError).message).toBe("Headgate does not answer. Is it still running?");
  });

  test("events stop with their stream, and the link says so and comes back", async () => {
    const stream = (text: string) => new Response(new Blob([text]).stream(), { status: 200 });
    const open = new Response(new ReadableStream());
    const fetch = vi.fn().mockResolvedValueOnce(stream(': hello\n\ndata: {"type":"accounts"}\n\n')).mockResolvedValue(open);
    const told: (HeadgateEvent["type"] | boolean)[] = [];
    vi.useFakeTimers();
    const stop = httpTransport({ base: "http://core", token: () => "t", onStale: vi.fn(), fetch }).listen({
      onEvent: (event) => told.push(event.type),
      onLink: (up) => told.push(up),
    });
    await vi.waitFor(() => expect(told).toEqual([true, "accounts", false]));
    await vi.advanceTimersByTimeAsync(500);
    await vi.waitFor(() => expect(told).toEqual([true, "accounts", false, true]));
    stop();
    vi.useRealTimers();
  });

  test("reconnecting becomes patient, to a limit", () => {
    expect([0, 1, 2, 10].map(backOff)).toEqual([500, 1000, 2000, 10_000]);
  });
});

describe("server-sent events", () => {
  test("an event may come in any pieces", () => {
    const read = sseReader();
    expect(["data: {\"a\"", ":1}\n", "\nda", "ta: 2\r\n\r\n: keep-alive\n\n"].flatMap(read)).toEqual(['{"a":1}', "2"]);
  });

  test("lines of one event are joined", () => {
    expect(sseReader()("event: x\ndata: a\ndata: b\n\n")).toEqual(["a\nb"]);
  });
});
