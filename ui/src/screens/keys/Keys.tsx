// Who may ask: clients' keys with what they have used against what they may use.
import { useState } from "react";
import { useAccounts, useClientKeys } from "../../api/queries.ts";
import type { Account, ClientKey, MintedKey } from "../../api/types.ts";
import { withParams, type Place } from "../../nav/place.ts";
import { go } from "../../nav/usePlace.ts";
import { Button } from "../../parts/Button.tsx";
import { Failed, Nothing, Reading } from "../../parts/Notice.tsx";
import { useNow } from "../../parts/useNow.ts";
import { KeyForm } from "./KeyForm.tsx";
import { KeyRow } from "./KeyRow.tsx";
import { RevokeForm, RotateForm } from "./Sure.tsx";
import { ShownOnce } from "./ShownOnce.tsx";

export type Asked = { act: "change" | "rotate" | "revoke"; clientKey: ClientKey };

export function Keys({ place }: { place: Place }) {
  const { data, error, refetch } = useClientKeys();
  const { data: accounts = [] } = useAccounts();
  const [asked, setAsked] = useState<Asked | null>(null);
  const [minted, setMinted] = useState<MintedKey | null>(null);
  const adding = place.params.has("add");
  const close = () => setAsked(null);
  const stopAdding = () => go(withParams(place, { add: null }), true);
  return (
    <>
      <div className="flex items-baseline gap-4 pt-6 pb-4">
        <h1 className="text-sentence font-normal">Keys</h1>
        <p className="text-soft max-wide:hidden">Programs on this machine need none, unless you require it. A key that is shown is always checked.</p>
        <Button kind="loud" className="ml-auto self-center" onClick={() => go(withParams(place, { add: "1" }))}>Make a key</Button>
      </div>
      {error && !data ? <Failed what="the keys" error={error} again={() => void refetch()} /> : null}
      {!data && !error && <Reading what="the keys" />}
      {data?.length === 0 && (
        <Nothing title="No key yet.">Make one for each program or person whose use you want to tell apart, to limit, or to be able to end.</Nothing>
      )}
      {data && data.length > 0 && <Table clientKeys={data} accounts={accounts} onAsk={setAsked} />}
      {adding && <KeyForm accounts={accounts} onMinted={setMinted} onClose={stopAdding} />}
      {asked?.act === "change" && <KeyForm clientKey={asked.clientKey} accounts={accounts} onClose={close} />}
      {asked?.act === "rotate" && <RotateForm clientKey={asked.clientKey} onMinted={setMinted} onClose={close} />}
      {asked?.act === "revoke" && <RevokeForm clientKey={asked.clientKey} onClose={close} />}
      {minted && !adding && !asked && <ShownOnce minted={minted} onClose={() => setMinted(null)} />}
    </>
  );
}

type TableProps = { clientKeys: ClientKey[]; accounts: Account[]; onAsk: (asked: Asked) => void };

function Table({ clientKeys, accounts, onAsk }: TableProps) {
  const now = useNow(60_000);
  return (
    <table className="stacks w-full border-y border-line">
      <thead className="text-small text-faint">
        <tr className="text-left [&>th]:py-1.5 [&>th]:pr-4 [&>th]:font-normal">
          <th scope="col" className="pl-2">Key</th>
          <th scope="col">Opens</th>
          <th scope="col">Today</th>
          <th scope="col" className="max-board:hidden">This month</th>
          <th scope="col"><span className="sr-only">What you can do</span></th>
        </tr>
      </thead>
      <tbody>
        {clientKeys.map((each) => <KeyRow key={each.id} clientKey={each} accounts={accounts} now={now} onAsk={onAsk} />)}
      </tbody>
    </table>
  );
}
