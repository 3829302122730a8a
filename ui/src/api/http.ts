// The browser's transport: HTTP to the core that served the page, with the token of this tab.
import { sseReader } from "./sse.ts";
import type { Listener, Transport } from "./transport.ts";
import type { HeadgateEvent } from "./types.ts";

export type HttpParts = {
  base: string;
  token: () => string | null;
  /** The core does not know the token any more. */
  onStale: () => void;
  fetch?: typeof globalThis.fetch;
};

export function httpTransport({ base, token, onStale, fetch = globalThis.fetch }: HttpParts): Transport {
  async function call(request: globalThis.Request): Promise<Response> {
    const known = token();
    if (known) request.headers.set("authorization", `Bearer ${known}`);
    const response = await fetch(request);
    if (response.status === 401) onStale();
    return response;
  }

  async function readEvents(listener: Listener, stop: AbortSignal): Promise<void> {
    const request = new Request(`${base}/api/v1/events`, { headers: { accept: "text/event-stream" }, signal: stop });
    const response = await call(request);
    if (!response.ok || !response.body) throw new Error(`events: ${response.status}`);
    listener.onLink(true);
    const read = sseReader();
    const decoder = new TextDecoder();
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      for (const data of read(decoder.decode(value, { stream: true }))) {
        listener.onEvent(JSON.parse(data) as HeadgateEvent);
      }
    }
  }

  return {
    base,
    call,
    listen(listener) {
      const stop = new AbortController();
      void (async () => {
        for (let failures = 0; !stop.signal.aborted; failures++) {
          const up = { ...listener, onLink: (is: boolean) => { failures = 0; listener.onLink(is); } };
          await readEvents(up, stop.signal).catch(() => undefined);
          if (stop.signal.aborted) return;
          listener.onLink(false);
          await rest(backOff(failures), stop.signal);
        }
      })();
      return () => stop.abort();
    },
  };
}

/** Half a second, doubling to ten. */
export function backOff(failures: number): number {
  return Math.min(500 * 2 ** failures, 10_000);
}

function rest(ms: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    stop.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
  });
}
