// Keeps what is on screen true: events go into the query cache, and after a gap all is read again.
import { type InfiniteData, type QueryClient } from "@tanstack/react-query";
import { inbox } from "./inbox.ts";
import { mergeRow, type Pages, type RequestFilter } from "./merge.ts";
import type { Transport } from "./transport.ts";
import type { Request, RequestPage } from "./types.ts";

/** The first word of every query's key. */
export const keys = {
  status: "status", overview: "overview", accounts: "accounts", providers: "providers", keys: "keys", pools: "pools",
  routes: "routes", bindings: "bindings", settings: "settings", explain: "explain", prevented: "prevented",
  jobs: "jobs", profiles: "profiles", vault: "vault",
  signIns: "signIns", signIn: "signIn", signInDefinitions: "signInDefinitions",
  requests: "requests", request: "request",
} as const;

/** What shows something of pools, routes, bindings or guards. */
export const touchedByPlan = [
  keys.pools, keys.routes, keys.bindings, keys.settings, keys.explain, keys.accounts, keys.overview, keys.keys,
];

export function keepLive(transport: Transport, cache: QueryClient, onLink: (up: boolean) => void): () => void {
  const again = (...names: string[]) => names.forEach((name) => void cache.invalidateQueries({ queryKey: [name] }));
  const box = inbox({
    rows: (rows) => rows.forEach((row) => putRow(cache, row)),
    accounts: () => again(keys.accounts, keys.overview, keys.pools, keys.routes, keys.explain, keys.vault, keys.status),
    keys: () => again(keys.keys, keys.bindings, keys.explain),
    plan: () => again(...touchedByPlan),
    jobs: () => again(keys.jobs, keys.status),
    profiles: () => again(keys.profiles),
    signIns: () => again(keys.signIns, keys.signIn),
    status: () => again(keys.status, keys.vault),
    sums: () => again(keys.overview, keys.status, keys.keys, keys.explain, keys.prevented),
    everything: () => void cache.invalidateQueries(),
  });
  let hadGap = false;
  const stop = transport.listen({
    onEvent: box.take,
    onLink(up) {
      if (up && hadGap) void cache.invalidateQueries();
      hadGap = !up;
      onLink(up);
    },
  });
  return () => {
    stop();
    box.close();
  };
}

function putRow(cache: QueryClient, row: Request): void {
  for (const [key, pages] of cache.getQueriesData<InfiniteData<RequestPage>>({ queryKey: [keys.requests] })) {
    if (pages) cache.setQueryData(key, mergeRow(pages as Pages, row, (key[1] ?? {}) as RequestFilter));
  }
  const one = [keys.request, row.id];
  cache.setQueryData<Request>(one, (known) => known && row);
  // Rows come without the decision: whoever looks at a request that has just ended reads it.
  if (row.ending) void cache.invalidateQueries({ queryKey: one });
}
