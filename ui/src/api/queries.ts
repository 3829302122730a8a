// What screens can ask. Answers are fresh until an event says otherwise, so nothing polls, but for what begins and ends
// by the clock.
import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { answer } from "./client.ts";
import { useCore } from "./core.tsx";
import { keys } from "./live.ts";
import type { RequestFilter } from "./merge.ts";
import type { Account, ExplainOrder } from "./types.ts";

const PAGE = 100;
const MINUTE = 60_000;

/** Of hours, of the end of a hold and of weather no event tells. */
function byTheClock(accounts: Account[] | undefined): number | false {
  return accounts?.some(({ guards, kept_back, trouble_until }) => (guards?.peaks.length ?? 0) > 0 || kept_back || trouble_until) ? MINUTE : false;
}

export function useStatus() {
  const { api } = useCore();
  return useQuery({ queryKey: [keys.status], queryFn: () => answer(api.GET("/api/v1/status")) });
}

export function useOverview() {
  const { api } = useCore();
  return useQuery({ queryKey: [keys.overview], queryFn: () => answer(api.GET("/api/v1/overview")), refetchInterval: ({ state }) => byTheClock(state.data?.accounts) });
}

export function useAccounts() {
  const { api } = useCore();
  return useQuery({ queryKey: [keys.accounts], queryFn: () => answer(api.GET("/api/v1/accounts")), refetchInterval: ({ state }) => byTheClock(state.data) });
}

export function useProviders() {
  const { api } = useCore();
  return useQuery({ queryKey: [keys.providers], queryFn: () => answer(api.GET("/api/v1/providers")) });
}

export function usePools() {
  const { api } = useCore();
  return useQuery({ queryKey: [keys.pools], queryFn: () => answer(api.GET("/api/v1/pools")) });
}

export function useRoutes() {
  const { api } = useCore();
  return useQuery({ queryKey: [keys.routes], queryFn: () => answer(api.GET("/api/v1/routes")) });
}

export function useBindings() {
  const { api } = useCore();
  return useQuery({ queryKey: [keys.bindings], queryFn: () => answer(api.GET("/api/v1/bindings")) });
}

export function usePlanSettings() {
  const { api } = useCore();
  return useQuery({ queryKey: [keys.settings], queryFn: () => answer(api.GET("/api/v1/settings")) });
}

/** Where such a request would go. It is asked again whenever something moves, for nothing is sent or spent. */
export function useExplain(order: ExplainOrder | null) {
  const { api } = useCore();
  return useQuery({
    queryKey: [keys.explain, order],
    queryFn: () => answer(api.POST("/api/v1/explain", { body: order as ExplainOrder })),
    enabled: order != null,
    placeholderData: (before) => (order ? before : undefined),
  });
}

/** What was kept from costing money in the last thirty days. */
export function usePrevented() {
  const { api } = useCore();
  return useQuery({ queryKey: [keys.prevented], queryFn: () => answer(api.GET("/api/v1/prevented")) });
}

export function useJobs() {
  const { api } = useCore();
  return useQuery({ queryKey: [keys.jobs], queryFn: () => answer(api.GET("/api/v1/jobs")) });
}

export function useClientKeys() {
  const { api } = useCore();
  return useQuery({ queryKey: [keys.keys], queryFn: () => answer(api.GET("/api/v1/keys")) });
}

/** Newest first, page by page. */
export function useRequests(filter: RequestFilter) {
  const { api } = useCore();
  const { account, ...rest } = filter;
  const narrowed = { ...rest, ...(account && { account: account.id }), limit: PAGE };
  return useInfiniteQuery({
    queryKey: [keys.requests, filter],
    queryFn: ({ pageParam: before }) =>
      answer(api.GET("/api/v1/requests", { params: { query: { ...narrowed, ...(before ? { before } : {}) } } })),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next ?? null,
    placeholderData: keepPreviousData,
  });
}

export function useRequest(id: string) {
  const { api } = useCore();
  return useQuery({
    queryKey: [keys.request, id],
    queryFn: () => answer(api.GET("/api/v1/requests/{id}", { params: { path: { id } } })),
  });
}
