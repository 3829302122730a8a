// Binds something to a pool, or changes to which and how strictly. What is bound can't be changed: it would be another binding.
import { useState, type FormEvent } from "react";
import { useAddBinding, useChangeBinding } from "../../api/plan.ts";
import type { Binding, ClientKey } from "../../api/types.ts";
import { Dialog } from "../../parts/Dialog.tsx";
import { Choice, Field } from "../../parts/Field.tsx";
import { FormEnd } from "../../parts/FormEnd.tsx";
import { kinds, MAIN, roles, roleWord, type Kind } from "../../words/plan.ts";
import type { World } from "./faults.ts";
import { bindingChangesIn, newBindingIn } from "./filled.ts";

type Props = { binding?: Binding; world: World; onClose: () => void };

export function BindingForm({ binding, world: { pools, clientKeys }, onClose }: Props) {
  const add = useAddBinding();
  const change = useChangeBinding(binding?.id ?? 0);
  const [kind, setKind] = useState<Kind>("project");
  const isGone = binding && !pools.some(({ id }) => id === binding.pool_id);
  const first = pools.find(({ id }) => id !== MAIN)?.id ?? MAIN;

  async function send(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    if (binding ? await change.run(bindingChangesIn(form, binding)) : await add.run(newBindingIn(form))) onClose();
  }

  return (
    <Dialog title={binding ? `Change the binding of ${binding.what}` : "Bind something to a pool"} onClose={onClose}>
      <form onSubmit={(event) => void send(event)} autoComplete="off">
        {!binding && (
          <>
            <Choice label="Bind" name="kind" value={kind} onChange={(event) => setKind(event.target.value as Kind)} data-first>
              {kinds.map(([each, word]) => <option key={each} value={each}>{word}</option>)}
            </Choice>
            <SubjectField key={kind} kind={kind} clientKeys={clientKeys} />
          </>
        )}
        <Choice label="To the pool" name="pool" defaultValue={binding?.pool_id ?? first} {...(binding && { "data-first": true })}>
          {isGone && <option value={binding.pool_id}>{binding.pool_id}, which is gone</option>}
          {pools.map(({ id, name }) => <option key={id} value={id}>{name}</option>)}
        </Choice>
        <Choice label="Where the pool can't serve" name="strict" defaultValue={binding?.strict ? "yes" : "no"} hint="Two that are bound strictly to different pools, and fit one request, leave nobody to serve it.">
          <option value="no">Main serves</option>
          <option value="yes">Refuse: nobody else may serve it</option>
        </Choice>
        <FormEnd change={binding ? change : add} act={binding ? "Save changes" : "Bind it"} unready={!binding && kind === "key" && clientKeys.length === 0} onClose={onClose} />
      </form>
    </Dialog>
  );
}

const fields: Record<"directory" | "project" | "agent_type", [label: string, placeholder: string, hint: string]> = {
  directory: ["Folder", "/work/shop", "From the root on. Those inside it are meant too. Clients name theirs in x-headgate-directory."],
  project: ["Project", "shop", "Clients name theirs in x-headgate-project."],
  agent_type: ["Type of agent", "reviewer", "As Claude Code names it in its hints."],
};

function SubjectField({ kind, clientKeys }: { kind: Kind; clientKeys: ClientKey[] }) {
  if (kind === "key") {
    if (clientKeys.length === 0) return <p className="mb-3 text-soft">There is no key yet. Make one on the screen Keys.</p>;
    return <Choice label="Key" name="subject">{clientKeys.map(({ id, name }) => <option key={id} value={id}>{name}</option>)}</Choice>;
  }
  if (kind === "role") {
    return <Choice label="Role" name="subject" hint="As Claude Code names it in its hints.">{roles.map((role) => <option key={role} value={role}>{roleWord[role]}</option>)}</Choice>;
  }
  const [label, placeholder, hint] = fields[kind];
  return <Field label={label} name="subject" placeholder={placeholder} hint={hint} autoComplete="off" />;
}
