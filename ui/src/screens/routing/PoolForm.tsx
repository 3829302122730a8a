// Makes a pool, or changes one: its name, by what it chooses, and who is in it.
import { useState, type FormEvent } from "react";
import { useAddPool, useChangePool } from "../../api/plan.ts";
import type { Policy, Pool } from "../../api/types.ts";
import { Boxes } from "../../parts/Boxes.tsx";
import { Dialog } from "../../parts/Dialog.tsx";
import { Choice, Field } from "../../parts/Field.tsx";
import { FormEnd } from "../../parts/FormEnd.tsx";
import { capital, MAIN, policies, policyMeaning, policyWord } from "../../words/plan.ts";
import { inOrder } from "../../words/standings.ts";
import type { World } from "./faults.ts";
import { newPoolIn, poolChangesIn } from "./filled.ts";

type Props = { pool?: Pool; world: World; onClose: () => void };

export function PoolForm({ pool, world: { accounts }, onClose }: Props) {
  const add = useAddPool();
  const change = useChangePool(pool?.id ?? 0);
  const [policy, setPolicy] = useState<Policy>(pool?.policy ?? "priority");
  const isMain = pool?.id === MAIN;
  // Nobody leaves main but for another pool, so there one can only come in.
  const choosable = inOrder(isMain ? accounts.filter(({ pool_id }) => pool_id !== MAIN) : accounts);

  async function send(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    if (pool ? await change.run(poolChangesIn(form, pool)) : await add.run(newPoolIn(form))) onClose();
  }

  return (
    <Dialog title={pool ? `Change pool ${pool.name}` : "Make a pool"} onClose={onClose}>
      <form onSubmit={(event) => void send(event)} autoComplete="off">
        <Field label="Name" name="name" defaultValue={pool?.name} placeholder="Nights" data-first maxLength={64} autoComplete="off" />
        <Choice label="Chooses" name="policy" value={policy} onChange={(event) => setPolicy(event.target.value as Policy)} hint={policyMeaning[policy]}>
          {policies.map((each) => <option key={each} value={each}>{capital(policyWord[each])}</option>)}
        </Choice>
        {choosable.length > 0 && (
          <Boxes
            legend={isMain ? "Bring back" : "Accounts in it"} name="accounts"
            chosen={pool?.accounts.map(String) ?? []}
            options={choosable.map(({ id, name, pool_id, pool: own }) => [String(id), name, pool_id === pool?.id ? undefined : `in ${own} now`])}
            hint={isMain ? undefined : "An account is in one pool: whoever is chosen leaves the other one, and whoever is left out goes to main."}
          />
        )}
        <FormEnd change={pool ? change : add} act={pool ? "Save changes" : "Make the pool"} onClose={onClose} />
      </form>
    </Dialog>
  );
}
