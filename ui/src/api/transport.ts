// The one seam between the page and its core: calls and events, by HTTP in a browser and by IPC in
// the window. Nothing outside this folder knows which.
import type { HeadgateEvent } from "./types.ts";

export type Listener = {
  onEvent(event: HeadgateEvent): void;
  /** True once events arrive; false when they stop. */
  onLink(up: boolean): void;
};

export interface Transport {
  /** An absolute address that `call` understands; only its path counts. */
  readonly base: string;
  call(request: globalThis.Request): Promise<Response>;
  /** Listens until the returned function is called, and reconnects by itself. */
  listen(listener: Listener): () => void;
}

/** Whether the page runs in Headgate's own window. */
export function isInWindow(globals: object): boolean {
  return "__TAURI_INTERNALS__" in globals;
}
