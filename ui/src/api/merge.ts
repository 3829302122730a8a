// Puts a request that just moved into the pages that are already on screen. Pure: old pages in, new
// pages out, and the very same object when nothing changed.
import type { Ending, Request, RequestPage } from "./types.ts";

/** Rows name their account; the core is asked by its id, which outlives a new name. */
export type RequestFilter = { account?: { id: number; name: string | null }; ending?: Ending; running?: boolean };
export type Pages = { pages: RequestPage[]; pageParams: unknown[] };

/** More than this many rows are not kept; what falls off can be loaded again. */
export const ROWS_KEPT = 1000;

export function belongs(request: Request, filter: RequestFilter): boolean {
  if (filter.account && request.account !== filter.account.name) return false;
  if (filter.ending && request.ending !== filter.ending) return false;
  return !filter.running || request.ending == null;
}

export function mergeRow(old: Pages, row: Request, filter: RequestFilter): Pages {
  const wanted = belongs(row, filter);
  const at = old.pages.findIndex((page) => page.requests.some((each) => each.id === row.id));
  if (at >= 0) {
    return replacePage(old, at, (requests) =>
      wanted ? requests.map((each) => (each.id === row.id ? row : each)) : requests.filter((each) => each.id !== row.id));
  }
  if (!wanted) return old;
  // Ids sort by time. A row older than all that is loaded comes with its own page later.
  const into = old.pages.findIndex((page) => page.requests.some((each) => each.id < row.id));
  const last = old.pages.length - 1;
  if (into < 0 && (last < 0 || old.pages[last]?.next)) return old;
  return trim(replacePage(old, into < 0 ? last : into, (requests) =>
    [...requests, row].sort((a, b) => (a.id < b.id ? 1 : -1))));
}

function replacePage(old: Pages, at: number, change: (requests: Request[]) => Request[]): Pages {
  return {
    ...old,
    pages: old.pages.map((page, i) => (i === at ? { ...page, requests: change(page.requests) } : page)),
  };
}

function trim(grown: Pages): Pages {
  const total = grown.pages.reduce((sum, page) => sum + page.requests.length, 0);
  if (total <= ROWS_KEPT) return grown;
  const pages = grown.pages.map((page) => ({ ...page }));
  const last = pages[pages.length - 1];
  if (last && last.requests.length > 1) {
    last.requests = last.requests.slice(0, -1);
    last.next = last.requests[last.requests.length - 1]?.id ?? null;
    return { ...grown, pages };
  }
  pages.pop();
  const left = pages[pages.length - 1];
  if (left) left.next = left.requests[left.requests.length - 1]?.id ?? null;
  return { pages, pageParams: grown.pageParams.slice(0, -1) };
}
