// What is kept back of an account: shares of its windows, caps in tokens and money, hours in which it is spared.
import { useId, type FormEvent } from "react";
import { useChangeAccount } from "../../api/changes.ts";
import type { Account, Budget, Reserve } from "../../api/types.ts";
import { Button } from "../../parts/Button.tsx";
import { Dialog } from "../../parts/Dialog.tsx";
import { fieldLook } from "../../parts/Field.tsx";
import { FormEnd } from "../../parts/FormEnd.tsx";
import { useRows } from "../../parts/useRows.ts";
import { dollars, tokens as inTokens } from "../../words/numbers.ts";
import { inTrackOrder, windowTitle } from "../../words/windows.ts";
import { guardsIn } from "./guards.ts";
import { Peaks } from "./Peaks.tsx";

export function GuardsForm({ account, onClose }: { account: Account; onClose: () => void }) {
  const change = useChangeAccount(account.id);
  const { guards } = account;

  async function send(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const order = guardsIn(new FormData(event.currentTarget), guards);
    if (Object.keys(order).length === 0 || (await change.run({ guards: order }))) onClose();
  }

  return (
    <Dialog title={`Keep back of ${account.name}`} onClose={onClose} wide>
      <form onSubmit={(event) => void send(event)} autoComplete="off">
        <Reserves account={account} reserves={guards?.reserves ?? []} />
        <Caps caps={guards?.caps} />
        <Peaks peaks={guards?.peaks ?? []} />
        <FormEnd change={change} act="Save changes" onClose={onClose} />
      </form>
    </Dialog>
  );
}

function Reserves({ account, reserves }: { account: Account; reserves: Reserve[] }) {
  const { rows, add, drop } = useRows<Partial<Reserve>>(reserves);
  const known = inTrackOrder(account.windows);
  return (
    <fieldset className="mb-4">
      <legend className="mb-1 text-soft">Reserves: where its windows stop being used</legend>
      {rows.map(({ key, is }, at) => (
        <div key={key} className="mb-1 grid grid-cols-[1fr_auto_72px_auto_auto] items-center gap-2 max-[600px]:grid-cols-[auto_72px_1fr_auto] max-[600px]:mb-3">
          <select name="window" aria-label={`Reserve ${at + 1}: window`} defaultValue={is.window ?? ""} className={`${fieldLook} max-[600px]:col-span-full`}>
            <option value="">Every window without a reserve of its own</option>
            {known.map((window) => <option key={window.name} value={window.name}>{windowTitle(window)}</option>)}
            {is.window && !known.some(({ name }) => name === is.window) && <option value={is.window}>{is.window}</option>}
          </select>
          <span className="text-soft">stops at</span>
          <input name="stop_at" aria-label={`Reserve ${at + 1}: percent`} type="number" min={1} max={100} step={1} required defaultValue={is.stop_at} placeholder="90" className={fieldLook} />
          <span className="text-soft">%</span>
          <Button className="!px-2" aria-label={`Leave out reserve ${at + 1}`} onClick={() => drop(key)}>×</Button>
        </div>
      ))}
      <Button data-first onClick={() => add({})}>Add a reserve</Button>
    </fieldset>
  );
}

const spans = [["day", "A day"], ["week", "A week"], ["month", "A month"]] as const;

function Caps({ caps }: { caps: NonNullable<Account["guards"]>["caps"] | undefined }) {
  const id = useId();
  return (
    <fieldset className="mb-4" aria-describedby={`${id}-hint`}>
      <legend className="mb-1 text-soft">Caps: how much it may serve</legend>
      {spans.map(([span, word]) => (
        <div key={span} className="mb-1 grid grid-cols-[64px_1fr_1fr_minmax(0,1fr)] items-center gap-2 max-[600px]:grid-cols-[60px_1fr_1fr]">
          <span>{word}</span>
          <Amount label={`${word}: tokens`} name={`${span}_tokens`} value={caps?.[span]?.tokens} placeholder="Tokens: no limit" step={1} />
          <Amount label={`${word}: dollars`} name={`${span}_usd`} value={caps?.[span]?.usd} placeholder="Dollars: no limit" step="any" />
          <span className="truncate text-small text-soft empty:hidden max-[600px]:col-span-2 max-[600px]:col-start-2">{caps?.[span] && spent(caps[span])}</span>
        </div>
      ))}
      <p id={`${id}-hint`} className="mt-1 text-small text-faint">
        Days, weeks from Monday and months are UTC's. Tokens are of every kind; dollars are by the public price list and count only models that
        stand there. What runs when a cap is reached goes on to its end.
      </p>
    </fieldset>
  );
}

function spent({ tokens, usd, used_tokens, used_usd }: Budget): string {
  return [tokens != null && inTokens(used_tokens), usd != null && dollars(used_usd)].filter(Boolean).join(", ") + " spent";
}

type AmountProps = { label: string; name: string; value: number | null | undefined; placeholder: string; step: 1 | "any" };

function Amount({ label, value, ...rest }: AmountProps) {
  return <input aria-label={label} type="number" min={rest.step === 1 ? 1 : 0.000001} defaultValue={value ?? ""} className={fieldLook} autoComplete="off" {...rest} />;
}
