// The pools: by what each chooses, who is in it, and what leads there.
import type { Account } from "../../api/types.ts";
import { Button } from "../../parts/Button.tsx";
import { Shape } from "../../parts/Standing.tsx";
import { capital, MAIN, policyMeaning, policyWord } from "../../words/plan.ts";
import { inOrder, shownStanding, standingWord } from "../../words/standings.ts";
import { leadsTo, type World } from "./faults.ts";
import type { Asked } from "./Routing.tsx";
import { Acts, Idle, PlanTable, RowName, rowLook, Section } from "./Section.tsx";

type Props = { world: World; onAsk: (asked: Asked) => void; onAdd: () => void };

export function Pools({ world, onAsk, onAdd }: Props) {
  return (
    <Section title="Pools" about="Every account is in one. Main is everybody's; any other serves what leads to it, and nothing else." act="Make a pool" onAdd={onAdd}>
      <PlanTable label="Pools" columns={[["Pool"], ["Chooses"], ["Accounts"], ["Led here", "max-board:hidden"]]}>
        {world.pools.map((pool) => {
          const inside = inOrder(world.accounts.filter(({ id }) => pool.accounts.includes(id)));
          const leads = leadsTo(pool, world);
          const isMain = pool.id === MAIN;
          return (
            <tr key={pool.id} className={rowLook} data-pool={pool.name}>
              <th scope="row" className="max-w-50 pl-2 text-left font-normal">
                <RowName id={`pool-${pool.id}`} name={pool.name} onOpen={() => onAsk({ act: "change", pool })} />
              </th>
              <td className="text-soft" data-column="Chooses" title={policyMeaning[pool.policy]}>{capital(policyWord[pool.policy])}</td>
              <td data-column="Accounts">
                {inside.length ? <Members accounts={inside} /> : <span className="text-faint">Nobody</span>}
                {!isMain && leads.length === 0 && <Idle>Nothing leads here: bind or route something to it.</Idle>}
              </td>
              <td className="max-w-70 text-soft max-board:hidden">
                {isMain && <p>Whatever leads nowhere else</p>}
                {leads.map((lead) => <p key={lead} className="break-words first-letter:uppercase">{lead}</p>)}
                {!isMain && leads.length === 0 && <span className="text-faint">Nothing</span>}
              </td>
              <td className="acts whitespace-nowrap text-right">
                <Acts>
                  <Button kind="text" aria-label={`Change pool ${pool.name}`} onClick={() => onAsk({ act: "change", pool })}>Change</Button>
                  {!isMain && <Button kind="text" aria-label={`Dissolve pool ${pool.name}`} onClick={() => onAsk({ act: "remove", pool })}>Dissolve</Button>}
                </Acts>
              </td>
            </tr>
          );
        })}
      </PlanTable>
    </Section>
  );
}

function Members({ accounts }: { accounts: Account[] }) {
  return (
    <ul className="flex flex-wrap gap-x-4">
      {accounts.map((account) => ({ ...account, state: shownStanding(account).state })).map(({ id, name, state }) => (
        <li key={id} className="inline-flex min-w-0 items-baseline gap-1.5" title={standingWord[state]}>
          <Shape state={state} />
          <span className="min-w-0 break-words">{name}<span className="sr-only">, {standingWord[state]}</span></span>
        </li>
      ))}
    </ul>
  );
}
