// Asks before all keys move, and says what happens with them on the way.
import { useState, type FormEvent } from "react";
import { useMoveVault } from "../../api/vault.ts";
import type { Vault } from "../../api/types.ts";
import { Dialog } from "../../parts/Dialog.tsx";
import { FormEnd } from "../../parts/FormEnd.tsx";
import { NewPassphrase, type Typed } from "./NewPassphrase.tsx";
import { homeWord, otherHome, unfit } from "./words.ts";

export function Move({ vault, onClose }: { vault: Vault; onClose: () => void }) {
  const move = useMoveVault();
  const [[first, again], setTyped] = useState<Typed>(["", ""]);
  const to = otherHome(vault) ?? vault.kind;
  const problem = first || again ? unfit(first, again) : null;
  async function submit(event: FormEvent) {
    event.preventDefault();
    if (await move.run({ to, ...(first && { passphrase: first }) })) onClose();
  }
  return (
    <Dialog title={`Move all keys to ${homeWord(to)}?`} onClose={onClose}>
      <form onSubmit={(event) => void submit(event)}>
        <p className="text-soft">Each is copied, read back and compared; only then are they removed from {homeWord(vault.kind)}. Requests go on meanwhile.</p>
        {to === "file" && (
          <div className="mt-4">
            <NewPassphrase label="Passphrase (may be left empty)" typed={[first, again]} onType={setTyped} hint={problem ?? "Each start then needs it. Without one, a key in a file beside it opens the sealed file."} />
          </div>
        )}
        <FormEnd change={move} act="Move them" unready={problem != null} onClose={onClose} />
      </form>
    </Dialog>
  );
}
