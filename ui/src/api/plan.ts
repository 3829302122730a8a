// What screens can change of the plan: pools, routes, bindings and the setting beside them. What was removed is
// handed on as the core gave it back, so that it can be put back.
import { at, useChange } from "./changes.ts";
import { answer } from "./client.ts";
import { useCore } from "./core.tsx";
import { touchedByPlan } from "./live.ts";
import type {
  Binding, NewBinding, NewPool, NewRoute, PlanSettings, PoolChange, RemovedPool, Route, RouteChange,
} from "./types.ts";

export type Removed =
  | { what: "pool"; pool: RemovedPool["pool"]; left: RemovedPool }
  | { what: "route"; route: Route }
  | { what: "binding"; binding: Binding };

type OnRemoved = (removed: Removed) => void;
/** An account and the pool that it goes to. */
export type Move = { account: number; pool: number };

export function useAddPool() {
  const { api } = useCore();
  return useChange((body: NewPool) => answer(api.POST("/api/v1/pools", { body })), ...touchedByPlan);
}

/** Accounts are moved one by one, after the pool itself: where one can't be, those before it have moved, and the page shows it. */
export function useChangePool(id: number) {
  const { api } = useCore();
  return useChange(async ({ change, moves }: { change: PoolChange; moves: Move[] }) => {
    if (Object.keys(change).length) await answer(api.PATCH("/api/v1/pools/{id}", { ...at(id), body: change }));
    for (const { account, pool } of moves) {
      await answer(api.PATCH("/api/v1/accounts/{id}", { ...at(account), body: { pool_id: pool } }));
    }
  }, ...touchedByPlan);
}

export function useAddRoute() {
  const { api } = useCore();
  return useChange((body: NewRoute) => answer(api.POST("/api/v1/routes", { body })), ...touchedByPlan);
}

export function useChangeRoute(id: number) {
  const { api } = useCore();
  return useChange((body: RouteChange) => answer(api.PATCH("/api/v1/routes/{id}", { ...at(id), body })), ...touchedByPlan);
}

export function useAddBinding() {
  const { api } = useCore();
  return useChange((body: NewBinding) => answer(api.POST("/api/v1/bindings", { body })), ...touchedByPlan);
}

export function useChangeBinding(id: number) {
  const { api } = useCore();
  return useChange(
    (body: { pool_id?: number; strict?: boolean }) => answer(api.PATCH("/api/v1/bindings/{id}", { ...at(id), body })),
    ...touchedByPlan,
  );
}

export function useRemovePool(id: number, onRemoved: OnRemoved) {
  const { api } = useCore();
  return useChange(async (_: void) => {
    const left = await answer(api.DELETE("/api/v1/pools/{id}", at(id)));
    onRemoved({ what: "pool", pool: left.pool, left });
  }, ...touchedByPlan);
}

export function useRemoveRoute(id: number, onRemoved: OnRemoved) {
  const { api } = useCore();
  return useChange(
    async (_: void) => onRemoved({ what: "route", route: await answer(api.DELETE("/api/v1/routes/{id}", at(id))) }),
    ...touchedByPlan,
  );
}

export function useRemoveBinding(id: number, onRemoved: OnRemoved) {
  const { api } = useCore();
  return useChange(
    async (_: void) => onRemoved({ what: "binding", binding: await answer(api.DELETE("/api/v1/bindings/{id}", at(id))) }),
    ...touchedByPlan,
  );
}

/** Makes it again under its id, so that what pointed at it does so again. `there` are the accounts that there are. */
export function usePutBack() {
  const { api } = useCore();
  return useChange(({ removed, there }: { removed: Removed; there: number[] }) => {
    if (removed.what === "pool") {
      const { id, name, policy, accounts } = removed.pool;
      return answer(api.POST("/api/v1/pools", { body: { id, name, policy, accounts: accounts.filter((one) => there.includes(one)) } }));
    }
    if (removed.what === "route") {
      const { id, name, models, slots, enabled, falls_through, idle_seconds } = removed.route;
      return answer(api.POST("/api/v1/routes", { body: { id, name, models, slots, enabled, falls_through, idle_seconds } }));
    }
    const { id, subject, pool_id, strict } = removed.binding;
    return answer(api.POST("/api/v1/bindings", { body: { id, subject, pool_id, strict } }));
  }, ...touchedByPlan);
}

export function useSetPlan() {
  const { api } = useCore();
  return useChange((body: PlanSettings) => answer(api.PUT("/api/v1/settings", { body })), ...touchedByPlan);
}
