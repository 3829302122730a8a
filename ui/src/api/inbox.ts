// Gathers events for a moment before the page redraws: a burst of a thousand costs one redraw, and
// sums are read again at most once a second.
import type { HeadgateEvent, Request } from "./types.ts";

export type Delivery = {
  /** Rows as they are now, each once. */
  rows(rows: Request[]): void;
  accounts(): void;
  keys(): void;
  plan(): void;
  jobs(): void;
  profiles(): void;
  signIns(): void;
  status(): void;
  /** Figures that every request moves. */
  sums(): void;
  everything(): void;
};

const ROWS_AFTER_MS = 100;
const SUMS_AFTER_MS = 1000;
/** With more rows than this at once, reading all again is cheaper than merging. */
export const ROWS_AT_ONCE = 500;

export function inbox(deliver: Delivery) {
  const waiting = new Map<string, Request>();
  let rowsTimer: ReturnType<typeof setTimeout> | undefined;
  let sumsTimer: ReturnType<typeof setTimeout> | undefined;

  function flush() {
    rowsTimer = undefined;
    const rows = [...waiting.values()];
    waiting.clear();
    if (rows.length > ROWS_AT_ONCE) deliver.everything();
    else if (rows.length > 0) deliver.rows(rows);
  }

  function take(event: HeadgateEvent) {
    switch (event.type) {
      case "request":
        if (waiting.size <= ROWS_AT_ONCE) waiting.set(event.request.id, event.request);
        rowsTimer ??= setTimeout(flush, ROWS_AFTER_MS);
        sumsTimer ??= setTimeout(() => { sumsTimer = undefined; deliver.sums(); }, SUMS_AFTER_MS);
        return;
      case "accounts": return deliver.accounts();
      case "keys": return deliver.keys();
      case "plan": return deliver.plan();
      case "jobs": return deliver.jobs();
      case "profiles": return deliver.profiles();
      case "sign_ins": return deliver.signIns();
      case "status": return deliver.status();
      case "behind": return deliver.everything();
    }
  }

  function close() {
    clearTimeout(rowsTimer);
    clearTimeout(sumsTimer);
    waiting.clear();
  }

  return { take, close };
}
