// The window's transport: the same requests, answered by the same router in the same process.
import type { Transport } from "./transport.ts";
import type { HeadgateEvent } from "./types.ts";

type Reply = { status: number; body: string };
export type Bridge = {
  invoke(command: "api", ask: { method: string; path: string; body: string | null }): Promise<Reply>;
  listen(name: "headgate", on: (event: { payload: HeadgateEvent }) => void): Promise<() => void>;
};

export function ipcTransport(bridge: Bridge): Transport {
  return {
    base: "http://window.invalid",

    async call(request) {
      const url = new URL(request.url);
      const text = await request.text();
      const ask = { method: request.method, path: url.pathname + url.search, body: text || null };
      const { status, body } = await bridge.invoke("api", ask);
      // A Response refuses a body, even an empty one, for these two.
      const bare = status === 204 || status === 304;
      return new Response(bare ? null : body, { status, headers: { "content-type": "application/json" } });
    },

    listen({ onEvent, onLink }) {
      let over = false;
      const listening = bridge.listen("headgate", (event) => over || onEvent(event.payload));
      void listening.then(() => over || onLink(true));
      return () => {
        over = true;
        void listening.then((stop) => stop());
      };
    },
  };
}
