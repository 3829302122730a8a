// The secret of a new key. It is in this dialog's memory and nowhere else, and goes with it.
import type { MintedKey } from "../../api/types.ts";
import { Button } from "../../parts/Button.tsx";
import { Copy } from "../../parts/Copy.tsx";
import { Dialog, DialogEnd } from "../../parts/Dialog.tsx";

export function ShownOnce({ minted, onClose }: { minted: MintedKey; onClose: () => void }) {
  return (
    <Dialog title={`The secret of ${minted.key.name}`} onClose={onClose} firm>
      <p className="mb-3 text-soft">Headgate keeps only its fingerprint. Copy it now: it is not shown again.</p>
      <Copy text={minted.secret} what="the secret" className="mono w-full rounded-md border border-edge px-2 py-1.5" />
      <p className="mt-3 text-soft">For Claude Code, put it into <code>ANTHROPIC_AUTH_TOKEN</code>. Other programs send it as a bearer or as <code>x-api-key</code>.</p>
      <DialogEnd><Button kind="loud" data-first onClick={onClose}>I have copied it</Button></DialogEnd>
    </Dialog>
  );
}
