// Asks before secrets that no account owns are deleted, and names each.
import { useState } from "react";
import { useCleanVault } from "../../api/vault.ts";
import type { Vault } from "../../api/types.ts";
import { Button } from "../../parts/Button.tsx";
import { Dialog, DialogEnd } from "../../parts/Dialog.tsx";
import { Field } from "../../parts/Field.tsx";
import { FormProblem } from "../../parts/Notice.tsx";
import { secrets } from "./words.ts";

export function Clean({ vault, onClose }: { vault: Vault; onClose: () => void }) {
  const clean = useCleanVault();
  const [typed, setTyped] = useState("");
  const names = vault.orphans.map((orphan) => orphan.name);
  // The other home is the sealed file then, and only its passphrase may open it.
  const isInFile = vault.can_clean_left && vault.kind === "keychain";
  const order = { orphans: names, ...(typed && { passphrase: typed }) };
  return (
    <Dialog title={names.length > 0 ? `Delete ${secrets(names.length)} that no account owns?` : "Clean up after the move?"} onClose={onClose}>
      {names.length > 0 && (
        <>
          <ul className="max-h-60 list-disc space-y-1 overflow-auto pl-4">
            {vault.orphans.map((orphan) => (
              <li key={orphan.name}><span className="mono select-text">{orphan.name}</span>{orphan.account && `, of ${orphan.account}`}</li>
            ))}
          </ul>
          <p className="mt-3 text-soft">Headgate cannot bring them back. What an account owns stays.</p>
        </>
      )}
      {vault.left && <p className="mt-3 text-soft">{vault.left}</p>}
      {isInFile && <Field label="Passphrase of the sealed file that was left, if it has one" type="password" autoComplete="off" value={typed} onChange={(event) => setTyped(event.target.value)} />}
      <FormProblem message={clean.problem} />
      <DialogEnd>
        <Button data-first onClick={onClose}>Keep everything</Button>
        <Button kind="danger" disabled={clean.busy} onClick={() => void clean.run(order).then((done) => done && onClose())}>
          {names.length > 0 ? "Delete them" : "Clean up"}
        </Button>
      </DialogEnd>
    </Dialog>
  );
}
