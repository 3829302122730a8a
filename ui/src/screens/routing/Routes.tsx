// The routes: for which models, over which slots, and what becomes of a request that none of them can serve.
import { useState } from "react";
import { useChangeRoute, useSetPlan } from "../../api/plan.ts";
import type { Route } from "../../api/types.ts";
import { Button } from "../../parts/Button.tsx";
import { Nothing } from "../../parts/Notice.tsx";
import { capital, families } from "../../words/plan.ts";
import { duration } from "../../words/times.ts";
import { routeFaults, type World } from "./faults.ts";
import type { Asked } from "./Routing.tsx";
import { Acts, Fault, Idle, PlanTable, RowName, rowLook, Section } from "./Section.tsx";

type Props = { world: World; onAsk: (asked: Asked) => void; onAdd: () => void };

export function Routes({ world, onAsk, onAdd }: Props) {
  return (
    <Section title="Routes" about="Places to try in order, for a family or a model. Of several that fit, the most exact one counts." act="Make a route" onAdd={onAdd}>
      {world.routes.length === 0
        ? <div className="border-y border-line"><Nothing title="No route.">Make one to send a family of models to certain accounts, in an order of yours, or under another model's name.</Nothing></div>
        : (
          <PlanTable label="Routes" columns={[["Route"], ["For"], ["Leads to"]]}>
            {world.routes.map((route) => <RouteRow key={route.id} route={route} world={world} onAsk={onAsk} />)}
          </PlanTable>
        )}
      <AskedOnly is={world.askedOnly} />
    </Section>
  );
}

function RouteRow({ route, world, onAsk }: { route: Route } & Omit<Props, "onAdd">) {
  const change = useChangeRoute(route.id);
  const faults = routeFaults(route, world);
  const { name, enabled, models } = route;
  const refuses = enabled && !route.falls_through && !faults.never;
  return (
    <tr className={rowLook} data-route={name}>
      <th scope="row" className="max-w-50 pl-2 text-left font-normal">
        <RowName id={`route-${route.id}`} name={name} onOpen={() => onAsk({ act: "change", route })} />
        {!enabled && <p className="text-paused font-medium">Switched off</p>}
      </th>
      <td className="min-w-32 max-w-50" data-column="For">{families.includes(models) ? capital(models) : <span className="mono break-words">{models}</span>}</td>
      <td className={enabled ? "" : "text-soft"} data-column="Leads to">
        <Chain route={route} faults={faults.slots} />
        {route.idle_seconds != null && <p className="text-small text-soft">Answers may be silent for {duration(route.idle_seconds * 1000)}.</p>}
        {refuses ? <Fault>{faults.nowhere}</Fault> : <Idle>{faults.nowhere}</Idle>}
        <Idle>{faults.never}</Idle>
        {!faults.nowhere && faults.slots.filter((fault) => fault != null).map((fault) => <p key={fault} className="text-small text-soft first-letter:uppercase">{fault}.</p>)}
        {change.problem && <p role="alert" className="text-bad">{change.problem}</p>}
      </td>
      <td className="acts whitespace-nowrap text-right">
        <Acts>
          <Button kind="text" aria-label={`Change route ${name}`} onClick={() => onAsk({ act: "change", route })}>Change</Button>
          <Button kind="text" aria-label={`Switch ${enabled ? "off" : "on"} route ${name}`} disabled={change.busy} onClick={() => void change.run({ enabled: !enabled })}>
            {enabled ? "Switch off" : "Switch on"}
          </Button>
          <Button kind="text" aria-label={`Remove route ${name}`} onClick={() => onAsk({ act: "remove", route })}>Remove</Button>
        </Acts>
      </td>
    </tr>
  );
}

/** Its slots in order, then what comes after the last. */
function Chain({ route, faults }: { route: Route; faults: (string | null)[] }) {
  return (
    <ol>
      {route.slots.map((slot, at) => (
        <li key={`${at}`} className="inline">
          {at > 0 && <span aria-hidden="true" className="text-faint"> → </span>}
          <span className={faults[at] ? "text-soft line-through decoration-faint" : ""} title={faults[at] ?? undefined}>
            {slot.pool_id != null && <span className="text-soft">pool </span>}
            {slot.name ?? (slot.pool_id == null ? `account ${slot.account_id}` : slot.pool_id)}
          </span>
          {slot.model && <span className="text-soft"> as <span className="mono break-words">{slot.model}</span></span>}
        </li>
      ))}
      <li className="inline text-soft"><span aria-hidden="true" className="text-faint"> → </span>{route.falls_through ? "the usual selection" : "refused"}</li>
    </ol>
  );
}

function AskedOnly({ is }: { is: boolean }) {
  const set = useSetPlan();
  // What was chosen stands there until the core has said what is, and not the opposite of whatever stands there.
  const [chosen, choose] = useState<boolean | null>(null);
  const change = async (to: boolean) => {
    if (set.busy) return;
    choose(to);
    await set.run({ serve_asked_or_refuse: to });
    choose(null);
  };
  return (
    <div className="mt-2">
      <label className="inline-flex items-baseline gap-2">
        <input type="checkbox" checked={chosen ?? is} onChange={(event) => void change(event.target.checked)} className="accent-accent" />
        <span>Serve the model that was asked for, or refuse<span className="text-soft">, whatever routes and accounts say</span></span>
      </label>
      {set.problem && <p role="alert" className="text-bad">{set.problem}</p>}
    </div>
  );
}
