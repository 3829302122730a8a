// Who serves whom: pools, the routes and bindings that lead to them, and where a request would go now.
import { useState } from "react";
import type { Removed } from "../../api/plan.ts";
import { useAccounts, useBindings, useClientKeys, usePlanSettings, usePools, useRoutes } from "../../api/queries.ts";
import type { Binding, Pool, Route } from "../../api/types.ts";
import { withParams, type Place } from "../../nav/place.ts";
import { go } from "../../nav/usePlace.ts";
import { Failed, Reading } from "../../parts/Notice.tsx";
import { BindingForm } from "./BindingForm.tsx";
import { Bindings } from "./Bindings.tsx";
import { DryRun } from "./DryRun.tsx";
import type { World } from "./faults.ts";
import { PoolForm } from "./PoolForm.tsx";
import { Pools } from "./Pools.tsx";
import { PutBack } from "./PutBack.tsx";
import { RouteForm } from "./RouteForm.tsx";
import { Routes } from "./Routes.tsx";
import { DissolveForm, RemoveBindingForm, RemoveRouteForm } from "./Sure.tsx";

export type Asked =
  | { act: "change" | "remove"; pool: Pool }
  | { act: "change" | "remove"; route: Route }
  | { act: "change" | "remove"; binding: Binding };

/** What was removed last, which the frame keeps. */
export type Undo = { removed: Removed | null; onRemoved: (removed: Removed | null) => void };

export function Routing({ place, undo }: { place: Place; undo: Undo }) {
  const { world, error, again } = useWorld();
  return (
    <>
      <div className="flex items-baseline gap-4 pt-6 pb-4">
        <h1 className="text-sentence font-normal">Routing</h1>
        <p className="text-soft max-wide:hidden">A request goes to its route's slots first, then to the pool that it is bound to, then to main.</p>
      </div>
      {error && !world ? <Failed what="the plan" error={error} again={again} /> : null}
      {!world && !error && <Reading what="the plan" />}
      {world && (
        <div className="grid gap-x-10 gap-y-8 wide:grid-cols-[minmax(0,1fr)_372px]">
          <Plan world={world} place={place} undo={undo} />
          <DryRun place={place} clientKeys={world.clientKeys} />
        </div>
      )}
    </>
  );
}

/** All that the plan says and points at; nothing is shown until all of it is known, for half of it would look wrong. */
function useWorld(): { world: World | null; error: Error | null; again: () => void } {
  const asked = [useAccounts(), usePools(), useRoutes(), useBindings(), useClientKeys(), usePlanSettings()] as const;
  const [{ data: accounts }, { data: pools }, { data: routes }, { data: bindings }, { data: clientKeys }, { data: settings }] = asked;
  const world = accounts && pools && routes && bindings && clientKeys && settings
    ? { accounts, pools, routes, bindings, clientKeys, askedOnly: settings.serve_asked_or_refuse }
    : null;
  const error = asked.find((each) => each.error && !each.data)?.error ?? null;
  return { world, error, again: () => asked.forEach((each) => void (each.error && each.refetch())) };
}

function Plan({ world, place, undo: { removed, onRemoved: setRemoved } }: { world: World; place: Place; undo: Undo }) {
  const [asked, setAsked] = useState<Asked | null>(null);
  const [broughtAlong] = useState(removed);
  const adding = place.params.get("add");
  const add = (what: string) => () => { setRemoved(null); go(withParams(place, { add: what })); };
  const stopAdding = () => go(withParams(place, { add: null }), true);
  const ask = (what: Asked) => { setRemoved(null); setAsked(what); };
  const close = () => setAsked(null);
  return (
    <div className="min-w-0">
      {removed && !asked && <PutBack removed={removed} isFresh={removed !== broughtAlong} accounts={world.accounts} onClose={() => setRemoved(null)} />}
      <Pools world={world} onAsk={ask} onAdd={add("pool")} />
      <Routes world={world} onAsk={ask} onAdd={add("route")} />
      <Bindings world={world} onAsk={ask} onAdd={add("binding")} />
      {adding === "pool" && <PoolForm world={world} onClose={stopAdding} />}
      {adding === "route" && <RouteForm world={world} onClose={stopAdding} />}
      {adding === "binding" && <BindingForm world={world} onClose={stopAdding} />}
      {asked?.act === "change" && "pool" in asked && <PoolForm pool={asked.pool} world={world} onClose={close} />}
      {asked?.act === "change" && "route" in asked && <RouteForm route={asked.route} world={world} onClose={close} />}
      {asked?.act === "change" && "binding" in asked && <BindingForm binding={asked.binding} world={world} onClose={close} />}
      {asked?.act === "remove" && "pool" in asked && <DissolveForm pool={asked.pool} world={world} onRemoved={setRemoved} onClose={close} />}
      {asked?.act === "remove" && "route" in asked && <RemoveRouteForm route={asked.route} onRemoved={setRemoved} onClose={close} />}
      {asked?.act === "remove" && "binding" in asked && <RemoveBindingForm binding={asked.binding} onRemoved={setRemoved} onClose={close} />}
    </div>
  );
}
