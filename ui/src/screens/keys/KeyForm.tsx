// Makes a key, or changes one. An empty limit is no limit.
import type { FormEvent } from "react";
import { useAddKey, useChangeKey } from "../../api/changes.ts";
import { usePools } from "../../api/queries.ts";
import type { Account, ClientKey, MintedKey, Pool } from "../../api/types.ts";
import { Boxes } from "../../parts/Boxes.tsx";
import { Dialog } from "../../parts/Dialog.tsx";
import { Field } from "../../parts/Field.tsx";
import { FormEnd } from "../../parts/FormEnd.tsx";
import { filledIn, keyChangesIn, newKeyIn } from "./filled.ts";
import { scopeWords } from "./words.ts";

type Props = { clientKey?: ClientKey; accounts: Account[]; onMinted?: (minted: MintedKey) => void; onClose: () => void };

export function KeyForm({ clientKey, accounts, onMinted = () => {}, onClose }: Props) {
  const add = useAddKey(onMinted);
  const change = useChangeKey(clientKey?.id ?? 0);
  const { data: pools = [] } = usePools();

  async function send(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const filled = filledIn(new FormData(event.currentTarget));
    const done = clientKey ? await change.run(keyChangesIn(filled, clientKey)) : await add.run(newKeyIn(filled));
    if (done) onClose();
  }

  return (
    <Dialog title={clientKey ? `Change ${clientKey.name}` : "Make a key"} onClose={onClose}>
      <form onSubmit={(event) => void send(event)} autoComplete="off">
        <Field label="Name" name="name" defaultValue={clientKey?.name} placeholder="Laptop" data-first maxLength={64} autoComplete="off" hint="Whose it is, or which program's." />
        <Boxes legend="It may" name="scopes" chosen={clientKey?.scopes ?? ["proxy"]} options={scopeWords} />
        <Field label="Models" name="models" defaultValue={clientKey?.models?.join(", ")} placeholder="All" hint="Ids, or beginnings with a * behind them, with commas between: claude-haiku-*, claude-sonnet-5" autoComplete="off" />
        {accounts.length > 0 && (
          <Boxes legend="Only these accounts and pools (none chosen: all)" name="accounts" chosen={clientKey?.accounts?.map(String) ?? []} options={accounts.map(({ id, name }) => [String(id), name])} />
        )}
        {(pools.length > 1 || clientKey?.pools) && (
          <Boxes legend="And whoever is in these pools" name="pools" chosen={clientKey?.pools?.map(String) ?? []} options={poolOptions(pools, clientKey)} />
        )}
        <div className="grid grid-cols-2 gap-x-4">
          <Number label="Requests a minute" name="per_minute" value={clientKey?.per_minute} />
          <Field label="Ends on" name="expires" type="date" defaultValue={clientKey?.expires_at?.slice(0, 10)} hint="At midnight UTC." />
          <Number label="Tokens a day" name="daily_tokens" value={clientKey?.daily.tokens} />
          <Number label="Dollars a day" name="daily_usd" value={clientKey?.daily.usd} step="any" />
          <Number label="Tokens a month" name="monthly_tokens" value={clientKey?.monthly.tokens} />
          <Number label="Dollars a month" name="monthly_usd" value={clientKey?.monthly.usd} step="any" />
        </div>
        <p className="text-small text-faint">
          Days and months are UTC's. Tokens are of every kind. Dollars are by the public price list and count only models that stand there.
        </p>
        <FormEnd change={clientKey ? change : add} act={clientKey ? "Save changes" : "Make the key"} onClose={onClose} />
      </form>
    </Dialog>
  );
}

/** A pool that is gone can only be unchosen, and has to be shown for that. */
function poolOptions(pools: Pool[], clientKey: ClientKey | undefined): [string, string][] {
  const gone = (clientKey?.pools ?? []).filter((id) => !pools.some((pool) => pool.id === id));
  return [...pools.map(({ id, name }): [string, string] => [String(id), name]), ...gone.map((id): [string, string] => [String(id), `${id}, which is gone`])];
}

function Number({ value, step = 1, ...rest }: { label: string; name: string; value: number | null | undefined; step?: number | "any" }) {
  return <Field {...rest} type="number" min={step === "any" ? 0 : 1} step={step} defaultValue={value ?? ""} placeholder="No limit" autoComplete="off" />;
}
