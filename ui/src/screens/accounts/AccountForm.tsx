// Adds an account or changes one. The key is read from its field when the form is sent; it is never
// held as state, and never shown again.
import { useRef, useState, type FormEvent } from "react";
import { useAddAccount, useChangeAccount } from "../../api/changes.ts";
import { usePools, useProviders, useStatus } from "../../api/queries.ts";
import type { Account, Provider } from "../../api/types.ts";
import { linkTo } from "../../nav/place.ts";
import { go } from "../../nav/usePlace.ts";
import { AddressField } from "../../parts/AddressField.tsx";
import { Button } from "../../parts/Button.tsx";
import { Dialog, DialogEnd } from "../../parts/Dialog.tsx";
import { Choice, Field } from "../../parts/Field.tsx";
import { vaultWord } from "../../parts/Foot.tsx";
import { FormProblem } from "../../parts/Notice.tsx";
import { changesIn, filledIn, modelsIn, newAccountIn } from "./filled.ts";
import { LacksFields } from "./LacksFields.tsx";
import { ModelNames } from "./ModelNames.tsx";
import { PaysWith } from "./PaysWith.tsx";
import { SpillField } from "./SpillField.tsx";
import { TimedFields } from "./TimedFields.tsx";

/** `onSignIn` leads from an account to a sign-in for it. */
type Props = { account?: Account; onClose: () => void; onSignIn?: () => void };

export function AccountForm({ account, onClose, onSignIn }: Props) {
  const added = useRef<Account>(null);
  const add = useAddAccount((account) => { added.current = account; });
  const change = useChangeAccount(account?.id ?? 0);
  const { busy, problem } = account ? change : add;
  const { data: providers = [] } = useProviders();
  const [chosen, setChosen] = useState(account?.provider);
  const provider = providers.find((each) => each.id === chosen) ?? providers[0];

  async function send(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = event.currentTarget;
    const { submitter } = event.nativeEvent as SubmitEvent;
    const typed = new FormData(form);
    const filled = filledIn(typed);
    const done = account ? await change.run(changesIn(filled, account, modelsIn(typed))) : await add.run(newAccountIn(filled));
    if (!done) return;
    form.reset();
    onClose();
    if (submitter?.dataset.then === "test" && added.current) go(linkTo("accounts", { test: String(added.current.id) }), true);
  }

  return (
    <Dialog title={account ? `Change ${account.name}` : "Add an account"} onClose={onClose}>
      <form onSubmit={(event) => void send(event)} autoComplete="off">
        {!account && <ProviderChoice providers={providers} chosen={provider} onChoose={setChosen} />}
        <Field label="Name" name="name" defaultValue={account?.name} placeholder="Work" data-first maxLength={64} autoComplete="off" />
        {provider?.credential === "client" ? <OwnSignIn /> : <KeyField replaces={Boolean(account)} />}
        {account && onSignIn && provider?.credential === "key" && <PaysWith account={account} onSignIn={onSignIn} />}
        <div className="grid grid-cols-[1fr_112px] gap-4">
          <AddressField address={account?.base_url} placeholder={provider?.base_url ?? "https://…"} hint={addressHint(provider)} />
          <Field label="Priority" name="priority" defaultValue={account?.priority ?? 0} type="number" min={-1000} max={1000} step={1} hint="Lower goes first." />
        </div>
        {account && <PoolField account={account} />}
        {account && provider?.credential === "key" && <PaidField account={account} />}
        {account && account.paid === "plan" && <SpillField account={account} />}
        {account && provider?.credential === "key" && <TimedFields account={account} />}
        {account && <LacksFields account={account} />}
        {account && <ModelNames models={account.models} />}
        <FormProblem message={problem} />
        <DialogEnd>
          <Button onClick={onClose}>Cancel</Button>
          {/* The first in the document is what Enter does. */}
          <Button kind="loud" type="submit" className="order-last" disabled={busy}>{account ? "Save changes" : "Add the account"}</Button>
          {!account && provider?.credential !== "client" && <Button type="submit" data-then="test" disabled={busy}>Add it and open its test</Button>}
        </DialogEnd>
      </form>
    </Dialog>
  );
}

/** Shown once there is a choice. */
function PoolField({ account }: { account: Account }) {
  const { data: pools = [] } = usePools();
  if (pools.length < 2) return null;
  return (
    <Choice label="Pool" name="pool" defaultValue={account.pool_id} hint="A pool other than main serves only what is bound or routed to it.">
      {pools.map(({ id, name }) => <option key={id} value={id}>{name}</option>)}
    </Choice>
  );
}

/** How its use is paid decides whether requests may leave it for one that costs, and come to it from one that does not. */
function PaidField({ account }: { account: Account }) {
  const found = account.paid == null ? "not known yet" : account.paid === "plan" ? "a plan" : "by use";
  const auto = account.said_paid == null ? `As it shows by itself: ${found}` : "As it shows by itself";
  return (
    <Choice label="Its use is paid" name="paid" defaultValue={account.said_paid ?? "auto"} hint="Requests do not leave a plan for an account that is paid by use unless you let them spill over.">
      <option value="auto">{auto}</option>
      <option value="plan">By a plan, used or not</option>
      <option value="use">By use</option>
    </Choice>
  );
}

function addressHint(provider: Provider | undefined): string {
  if (provider?.credential === "client") return "Leave it empty: a sign-in goes there and nowhere else.";
  return provider && !provider.base_url ? "This kind of account needs its own." : "Only if it is not the usual one.";
}

function OwnSignIn() {
  return <p className="mb-3 text-soft">It has no key. Claude Code has to be signed in itself, and its sign-in is passed on with each request.</p>;
}

type ChoiceProps = { providers: Provider[]; chosen: Provider | undefined; onChoose: (id: string) => void };

function ProviderChoice({ providers, chosen, onChoose }: ChoiceProps) {
  return (
    <Choice label="Provider" name="provider" value={chosen?.id ?? ""} onChange={(event) => onChoose(event.target.value)} hint={chosen?.about}>
      {providers.map(({ id, title }) => <option key={id} value={id}>{title}</option>)}
    </Choice>
  );
}

function KeyField({ replaces }: { replaces: boolean }) {
  const { data: status } = useStatus();
  return (
    <Field
      label={replaces ? "Replace the key" : "API key"}
      name="key"
      type="password"
      autoComplete="off"
      data-1p-ignore="true"
      hint={replaces ? "Leave empty to keep the key as it is." : `It goes to ${vaultWord(status?.vault)} and is never shown again.`}
    />
  );
}
