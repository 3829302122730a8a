// What to sign in to, with whose client, and by which way back. Only what the chosen one asks for is shown. A client's
// secret is read from its field when the form is sent, and never held as state.
import { useEffect, useRef, useState, type FormEvent } from "react";
import { useProviders, useStatus } from "../../api/queries.ts";
import { useBeginSignIn, useHasWindow, useSignInDefinitions } from "../../api/signIns.ts";
import type { Account, Provider, SignInDefinition, SignInWay } from "../../api/types.ts";
import { AddressField } from "../../parts/AddressField.tsx";
import { Choice, Field } from "../../parts/Field.tsx";
import { vaultWord } from "../../parts/Foot.tsx";
import { FormEnd } from "../../parts/FormEnd.tsx";
import { Failed, Reading } from "../../parts/Notice.tsx";
import { definitionsFor, filledIn, orderIn, proposedWay, providersFor, wantsAddress, waysBack } from "./filled.ts";
import { wayWords } from "./words.ts";

/** Two fields beside each other where there is room. */
const pair = "grid gap-x-4 board:grid-cols-2";

type Props = { account: Account | undefined; hidden: boolean; onBegun: (id: string) => void; onClose: () => void };

export function SignInForm({ account, hidden, onBegun, onClose }: Props) {
  const { data: all, error, refetch } = useSignInDefinitions();
  const { data: providers } = useProviders();
  const { data: status } = useStatus();
  const begin = useBeginSignIn(onBegun);
  const [chosen, setChosen] = useState(account?.sign_in?.with);
  const first = useFirst(!hidden && all !== undefined && providers !== undefined);

  if (error && !all) return <Failed what="the ways to sign in" error={error} again={() => void refetch()} />;
  if (!all || !providers) return <Reading what="the ways to sign in" />;
  const fitting = definitionsFor(account, all, providers);
  const definition = fitting.find(({ id }) => id === chosen) ?? fitting[0];
  if (!definition) return <p className="text-soft">Accounts of this kind can't be signed in to. Give it a key instead.</p>;

  function send(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    if (definition) void begin.run(orderIn(filledIn(new FormData(event.currentTarget)), definition, account));
  }

  return (
    <form ref={first} hidden={hidden} onSubmit={send} autoComplete="off">
      {account && !account.sign_in && (
        <p className="mb-3 text-soft">Its key is used until you are signed in; then it is deleted from {vaultWord(status?.vault)}. Name, settings and history stay.</p>
      )}
      <Choice label="Sign in with" name="with" data-first value={definition.id} onChange={(event) => setChosen(event.target.value)} hint={definition.about}>
        {fitting.map(({ id, title }) => <option key={id} value={id}>{title}</option>)}
      </Choice>
      {!account && <NewAccount key={definition.id} definition={definition} providers={providersFor(definition, providers)} />}
      <Terms definition={definition} account={account} />
      <Ways key={`${definition.id} way`} definition={definition} />
      <FormEnd change={begin} act={account?.sign_in ? "Sign in again" : "Sign in"} onClose={onClose} />
    </form>
  );
}

/** Gives its first field the focus whenever the form is there to be filled in: it comes after the dialog, and again. */
function useFirst(isThere: boolean) {
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => {
    if (isThere) form.current?.querySelector<HTMLElement>("[data-first]")?.focus();
  }, [isThere]);
  return form;
}

function NewAccount({ definition, providers }: { definition: SignInDefinition; providers: Provider[] }) {
  const [chosen, setChosen] = useState(providers[0]?.id);
  const provider = providers.find(({ id }) => id === chosen);
  return (
    <>
      <div className="grid grid-cols-[1fr_112px] gap-4">
        <Field label="Name" name="name" placeholder="Work" maxLength={64} autoComplete="off" hint="What the account is called here." />
        <Field label="Priority" name="priority" defaultValue={0} type="number" min={-1000} max={1000} step={1} hint="Lower goes first." />
      </div>
      <div className={pair}>
        {providers.length > 1
          ? (
            <Choice label="Provider" name="provider" value={chosen} onChange={(event) => setChosen(event.target.value)} hint={provider?.about}>
              {providers.map(({ id, title }) => <option key={id} value={id}>{title}</option>)}
            </Choice>
          )
          : <input type="hidden" name="provider" value={chosen ?? ""} />}
        <AddressField
          placeholder={wantsAddress(definition) ? "https://…" : provider?.base_url ?? "https://…"}
          hint={wantsAddress(definition) ? "Where its tokens are taken; they go nowhere else."
            : provider && !provider.base_url ? "This kind of account needs its own." : "Only if it is not the usual one."}
        />
      </div>
    </>
  );
}

/** What is kept between definitions stays typed: the fields are the same ones. */
function Terms({ definition, account }: { definition: SignInDefinition; account: Account | undefined }) {
  const before = account?.sign_in?.with === definition.id ? account.sign_in : undefined;
  return (
    <>
      {definition.wants_issuer && <Issuer definition={definition} before={before} />}
      {definition.tenant != null && (
        <Field label="Tenant" name="tenant" defaultValue={before?.tenant ?? ""} placeholder={definition.tenant} autoComplete="off" hint="The directory's name or id. Empty: any organisation's." />
      )}
      {definition.client != null && <Client definition={definition} known={before?.client_id ?? undefined} />}
    </>
  );
}

function Issuer({ definition, before }: { definition: SignInDefinition; before: Account["sign_in"] }) {
  return (
    <div className={pair}>
      <Field label="Issuer" name="issuer" defaultValue={before?.issuer ?? ""} placeholder="https://id.example.com" inputMode="url" autoComplete="off" hint="Its address, under which its discovery document stands." />
      <Field label="Scopes" name="scopes" defaultValue={before?.scopes.join(" ") ?? ""} placeholder={definition.scopes.join(" ")} autoComplete="off" hint="Only if your gateway asks for others." />
    </div>
  );
}

function Client({ definition, known }: { definition: SignInDefinition; known: string | undefined }) {
  const { data: status } = useStatus();
  const packaged = definition.has_client && !known;
  return (
    <>
      <p className="mb-3 text-small text-soft">{packaged ? "This build brings a client of its own; you need none. " : ""}{definition.client}</p>
      <div className={pair}>
        <Field label="Client id" name="client_id" defaultValue={known ?? ""} placeholder={packaged ? "The one of this build" : ""} autoComplete="off" />
        <Field
          label="Client secret" name="client_secret" type="password" autoComplete="off" data-1p-ignore="true"
          hint={known ? "Leave empty to keep it as it is." : `If it has one. It goes to ${vaultWord(status?.vault)}.`}
        />
      </div>
    </>
  );
}

function Ways({ definition }: { definition: SignInDefinition }) {
  const ways = waysBack(definition, useHasWindow());
  const [way, setWay] = useState(proposedWay(ways, window.location.hostname));
  return (
    <Choice label="How" name="way" value={way} onChange={(event) => setWay(event.target.value as SignInWay)} hint={way && wayWords[way].hint}>
      {ways.map((each) => <option key={each} value={each}>{wayWords[each].title}</option>)}
    </Choice>
  );
}
