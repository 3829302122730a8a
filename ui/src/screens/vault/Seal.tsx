// Gives the sealed file a passphrase, another one, or its key file again.
import { useState, type FormEvent } from "react";
import { useSealVault } from "../../api/vault.ts";
import type { Vault } from "../../api/types.ts";
import { Button } from "../../parts/Button.tsx";
import { Dialog } from "../../parts/Dialog.tsx";
import { Field } from "../../parts/Field.tsx";
import { FormEnd } from "../../parts/FormEnd.tsx";
import { NewPassphrase, type Typed } from "./NewPassphrase.tsx";
import { unfit } from "./words.ts";

export function Seal({ vault, onClose }: { vault: Vault; onClose: () => void }) {
  const seal = useSealVault();
  const has = vault.secured === "passphrase";
  const [current, setCurrent] = useState("");
  const [[first, again], setTyped] = useState<Typed>(["", ""]);
  const known = has ? { current } : {};
  const problem = unfit(first, again);
  async function submit(event: FormEvent) {
    event.preventDefault();
    if (await seal.run({ ...known, passphrase: first })) onClose();
  }
  return (
    <Dialog title={has ? "Another passphrase" : "Seal with a passphrase"} onClose={onClose}>
      <form onSubmit={(event) => void submit(event)}>
        {has && <Field label="The one that it has" type="password" autoComplete="current-password" data-first value={current} onChange={(event) => setCurrent(event.target.value)} />}
        <NewPassphrase label="New passphrase" first={!has} typed={[first, again]} onType={setTyped} hint={(first && problem) || "Each start needs it, typed in a terminal or by HEADGATE_PASSPHRASE_FILE. Nobody can bring it back."} />
        {has && (
          <p className="text-small text-soft">
            Or without one:{" "}
            <Button kind="text" disabled={seal.busy || !current} onClick={() => void seal.run(known).then((done) => done && onClose())}>go back to a key file</Button>
          </p>
        )}
        <FormEnd change={seal} act="Seal it" unready={problem != null || (has && !current)} onClose={onClose} />
      </form>
    </Dialog>
  );
}
