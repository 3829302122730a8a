// What is bound to a pool, in the order in which it counts.
import type { Binding } from "../../api/types.ts";
import { Button } from "../../parts/Button.tsx";
import { Nothing } from "../../parts/Notice.tsx";
import { bindingFault, inRank, type World } from "./faults.ts";
import type { Asked } from "./Routing.tsx";
import { Acts, Fault, Idle, PlanTable, RowName, rowLook, Section } from "./Section.tsx";

type Props = { world: World; onAsk: (asked: Asked) => void; onAdd: () => void };

export function Bindings({ world, onAsk, onAdd }: Props) {
  return (
    <Section title="Bindings" about="What a pool serves first, or alone. Of several that fit a request, the first here counts." act="Bind something" onAdd={onAdd}>
      {world.bindings.length === 0
        ? <div className="border-y border-line"><Nothing title="Nothing is bound.">Bind a project, a folder, a key, a role or a type of agent to a pool, and its accounts serve it.</Nothing></div>
        : (
          <PlanTable label="Bindings" columns={[["What"], ["Pool"], ["How"]]}>
            {inRank(world.bindings).map((binding) => <BindingRow key={binding.id} binding={binding} world={world} onAsk={onAsk} />)}
          </PlanTable>
        )}
    </Section>
  );
}

function BindingRow({ binding, world, onAsk }: { binding: Binding } & Omit<Props, "onAdd">) {
  const { what, pool, pool_id, strict } = binding;
  const fault = bindingFault(binding, world);
  return (
    <tr className={rowLook} data-binding={what}>
      <th scope="row" className="max-w-70 pl-2 text-left font-normal">
        <RowName id={`binding-${binding.id}`} name={what} onOpen={() => onAsk({ act: "change", binding })} />
      </th>
      <td className={pool ? "" : "text-soft line-through decoration-faint"} data-column="Pool">{pool ?? pool_id}</td>
      <td data-column="How">
        {strict ? "There, or refused" : <span className="text-soft">There first</span>}
        {strict ? <Fault>{fault}</Fault> : <Idle>{fault}</Idle>}
      </td>
      <td className="acts whitespace-nowrap text-right">
        <Acts>
          <Button kind="text" aria-label={`Change the binding of ${what}`} onClick={() => onAsk({ act: "change", binding })}>Change</Button>
          <Button kind="text" aria-label={`Remove the binding of ${what}`} onClick={() => onAsk({ act: "remove", binding })}>Remove</Button>
        </Acts>
      </td>
    </tr>
  );
}
