// The accounts in the order in which they are asked, and all that can be done to them.
import { useState } from "react";
import { useAccounts, useStatus } from "../../api/queries.ts";
import type { Account } from "../../api/types.ts";
import type { Place } from "../../nav/place.ts";
import { go } from "../../nav/usePlace.ts";
import { withParams } from "../../nav/place.ts";
import { Button } from "../../parts/Button.tsx";
import { Failed, Nothing, Reading } from "../../parts/Notice.tsx";
import { useNow } from "../../parts/useNow.ts";
import { inOrder } from "../../words/standings.ts";
import { AccountForm } from "./AccountForm.tsx";
import { AccountRow } from "./AccountRow.tsx";
import { GuardsForm } from "./GuardsForm.tsx";
import { PauseForm } from "./PauseForm.tsx";
import { Prevented } from "./Prevented.tsx";
import { SignIn } from "../sign-in/SignIn.tsx";
import { RemoveForm } from "./RemoveForm.tsx";
import { TestForm } from "./TestForm.tsx";

export type Asked = { act: "change" | "guard" | "pause" | "remove" | "sign-in"; account: Account };

export function Accounts({ place }: { place: Place }) {
  const { data, error, refetch } = useAccounts();
  const [asked, setAsked] = useState<Asked | null>(null);
  const adding = place.params.has("add");
  const signingIn = place.params.has("sign-in");
  const tested = data?.find(({ id }) => String(id) === place.params.get("test"));
  const close = () => setAsked(null);
  return (
    <>
      <div className="flex items-baseline gap-4 pt-6 pb-4">
        <h1 className="text-sentence font-normal">Accounts</h1>
        <p className="text-soft max-wide:hidden">Requests go to the lowest priority that is ready; among equals, to the one with the most left.</p>
        <span className="ml-auto flex gap-2 self-center">
          <Button onClick={() => go(withParams(place, { "sign-in": "1" }))}>Sign in</Button>
          <Button kind="loud" onClick={() => go(withParams(place, { add: "1" }))}>Add an account</Button>
        </span>
      </div>
      <UnusedLogin />
      {error && !data ? <Failed what="the accounts" error={error} again={() => void refetch()} /> : null}
      {!data && !error && <Reading what="the accounts" />}
      {data?.length === 0 && <Nothing title="No account yet.">Add one with its key, or sign in at its provider, and Headgate has somewhere to send requests.</Nothing>}
      {data && data.length > 0 && <Table accounts={inOrder(data)} onAsk={setAsked} />}
      {data && <Prevented accounts={data} onChange={(account) => setAsked({ act: "change", account })} />}
      {adding && <AccountForm onClose={() => go(withParams(place, { add: null }), true)} />}
      {signingIn && <SignIn onClose={() => go(withParams(place, { "sign-in": null }), true)} />}
      {asked?.act === "change" && <AccountForm account={asked.account} onClose={close} onSignIn={() => setAsked({ act: "sign-in", account: asked.account })} />}
      {asked?.act === "sign-in" && <SignIn account={asked.account} onClose={close} />}
      {asked?.act === "guard" && <GuardsForm account={asked.account} onClose={close} />}
      {asked?.act === "pause" && <PauseForm account={asked.account} onClose={close} />}
      {tested && <TestForm account={tested} onClose={() => go(withParams(place, { test: null }), true)} />}
      {asked?.act === "remove" && <RemoveForm account={asked.account} onClose={close} />}
    </>
  );
}

/** Somebody pays with a key although the client is signed in. */
function UnusedLogin() {
  const { data: status } = useStatus();
  if (!status?.unused_login) return null;
  return (
    <p role="status" className="mb-4 text-soft">
      A request came with Claude Code's own sign-in, which is not used: the accounts below pay for it. To use it, add an account of the kind
      “Claude Code's own sign-in”.
    </p>
  );
}

function Table({ accounts, onAsk }: { accounts: Account[]; onAsk: (asked: Asked) => void }) {
  const now = useNow(15_000);
  return (
    <table className="stacks w-full border-y border-line">
      <thead className="text-small text-faint">
        <tr className="text-left [&>th]:py-1.5 [&>th]:pr-4 [&>th]:font-normal">
          <th scope="col" className="w-14">Priority</th>
          <th scope="col">Account</th>
          <th scope="col">Standing</th>
          <th scope="col" className="max-board:hidden">Windows</th>
          <th scope="col"><span className="sr-only">What you can do</span></th>
        </tr>
      </thead>
      <tbody>{accounts.map((account) => <AccountRow key={account.id} account={account} now={now} onAsk={onAsk} />)}</tbody>
    </table>
  );
}
