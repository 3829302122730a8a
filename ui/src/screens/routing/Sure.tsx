// Asks before a part of the plan goes, and says what goes with it.
import { useRemoveBinding, useRemovePool, useRemoveRoute, type Removed } from "../../api/plan.ts";
import type { Change } from "../../api/changes.ts";
import type { Binding, Pool, Route } from "../../api/types.ts";
import { Button } from "../../parts/Button.tsx";
import { Dialog, DialogEnd } from "../../parts/Dialog.tsx";
import { FormProblem } from "../../parts/Notice.tsx";
import type { World } from "./faults.ts";
import { afterDissolving } from "./words.ts";

type Props = { onRemoved: (removed: Removed) => void; onClose: () => void };

export function DissolveForm({ pool, world, onRemoved, onClose }: Props & { pool: Pool; world: World }) {
  const remove = useRemovePool(pool.id, onRemoved);
  return (
    <Dialog title={`Dissolve pool ${pool.name}?`} onClose={onClose}>
      <ul className="list-disc space-y-1 pl-4 text-soft">
        {afterDissolving(pool, world).map((line) => <li key={line}>{line}</li>)}
      </ul>
      <End remove={remove} act="Dissolve the pool" onClose={onClose} />
    </Dialog>
  );
}

export function RemoveRouteForm({ route, onRemoved, onClose }: Props & { route: Route }) {
  const remove = useRemoveRoute(route.id, onRemoved);
  return (
    <Dialog title={`Remove route ${route.name}?`} onClose={onClose}>
      <p className="text-soft">What took it goes where another route, its binding or main leads it, from the next request on. Switched off, it does the same and stays here.</p>
      <End remove={remove} act="Remove the route" onClose={onClose} />
    </Dialog>
  );
}

export function RemoveBindingForm({ binding, onRemoved, onClose }: Props & { binding: Binding }) {
  const remove = useRemoveBinding(binding.id, onRemoved);
  return (
    <Dialog title={`Remove the binding of ${binding.what}?`} onClose={onClose}>
      <p className="text-soft">It is served by whatever else fits it, or by main, from the next request on.{binding.strict && " Nothing keeps it in its pool any more."}</p>
      <End remove={remove} act="Remove the binding" onClose={onClose} />
    </Dialog>
  );
}

function End({ remove, act, onClose }: { remove: Change<void>; act: string; onClose: () => void }) {
  return (
    <>
      <p className="mt-3 text-small text-faint">You can put it back right afterwards, as it was.</p>
      <FormProblem message={remove.problem} />
      <DialogEnd>
        <Button data-first onClick={onClose}>Keep it</Button>
        <Button kind="danger" disabled={remove.busy} onClick={() => void remove.run().then((done) => done && onClose())}>{act}</Button>
      </DialogEnd>
    </>
  );
}
