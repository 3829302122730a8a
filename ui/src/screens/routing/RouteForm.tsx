// Makes a route, or changes one.
import { useId, type FormEvent } from "react";
import { useAddRoute, useChangeRoute } from "../../api/plan.ts";
import type { Route } from "../../api/types.ts";
import { Dialog } from "../../parts/Dialog.tsx";
import { Choice, Field } from "../../parts/Field.tsx";
import { FormEnd } from "../../parts/FormEnd.tsx";
import { families } from "../../words/plan.ts";
import type { World } from "./faults.ts";
import { newRouteIn, routeChangesIn } from "./filled.ts";
import { Slots } from "./Slots.tsx";

type Props = { route?: Route; world: World; onClose: () => void };

export function RouteForm({ route, world, onClose }: Props) {
  const add = useAddRoute();
  const change = useChangeRoute(route?.id ?? 0);
  const list = useId();

  async function send(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    if (route ? await change.run(routeChangesIn(form, route)) : await add.run(newRouteIn(form))) onClose();
  }

  return (
    <Dialog title={route ? `Change route ${route.name}` : "Make a route"} onClose={onClose} wide>
      <form onSubmit={(event) => void send(event)} autoComplete="off">
        <div className="grid grid-cols-2 gap-x-4">
          <Field label="Name" name="name" defaultValue={route?.name} placeholder="Cheap" data-first maxLength={64} autoComplete="off" />
          <Field label="For" name="models" defaultValue={route?.models} placeholder="opus" list={list} autoComplete="off" hint="A family, a model's id, or its beginning with a * behind it." />
        </div>
        <datalist id={list}>{families.map((family) => <option key={family} value={family} />)}</datalist>
        <Slots slots={route?.slots ?? [{}]} world={world} />
        <Choice label="What no slot can serve" name="falls_through" defaultValue={route?.falls_through ? "yes" : "no"} hint="With hold_seconds set, it is held first, if a slot is back within them.">
          <option value="no">Is refused</option>
          <option value="yes">Goes on to the usual selection: its pool, then main</option>
        </Choice>
        <Field label="Silence ends an answer after, in seconds" name="idle_seconds" type="number" min={1} max={86_400} defaultValue={route?.idle_seconds ?? undefined} hint="Of answers by this route. Left empty: limits.idle_seconds, as for all others." />
        <FormEnd change={route ? change : add} act={route ? "Save changes" : "Make the route"} onClose={onClose} />
      </form>
    </Dialog>
  );
}
