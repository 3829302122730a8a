// Asks before a secret stops working, and says what stops with it.
import { useRevokeKey, useRotateKey } from "../../api/changes.ts";
import { useBindings } from "../../api/queries.ts";
import type { ClientKey, MintedKey } from "../../api/types.ts";
import { Button } from "../../parts/Button.tsx";
import { Dialog, DialogEnd } from "../../parts/Dialog.tsx";
import { FormProblem } from "../../parts/Notice.tsx";

type Props = { clientKey: ClientKey; onClose: () => void };

export function RotateForm({ clientKey, onMinted, onClose }: Props & { onMinted: (minted: MintedKey) => void }) {
  const rotate = useRotateKey(clientKey.id, onMinted);
  return (
    <Dialog title={`A new secret for ${clientKey.name}?`} onClose={onClose}>
      <p className="text-soft">The secret that begins with <code>{clientKey.prefix}</code> stops working at once. Name, limits and history stay.</p>
      <FormProblem message={rotate.problem} />
      <DialogEnd>
        <Button data-first onClick={onClose}>Keep the old one</Button>
        <Button kind="danger" disabled={rotate.busy} onClick={() => void rotate.run().then((done) => done && onClose())}>Make a new secret</Button>
      </DialogEnd>
    </Dialog>
  );
}

export function RevokeForm({ clientKey, onClose }: Props) {
  const revoke = useRevokeKey(clientKey.id);
  const { data: bindings = [] } = useBindings();
  const bound = bindings.filter(({ subject }) => "key" in subject && subject.key === clientKey.id);
  return (
    <Dialog title={`Revoke ${clientKey.name}?`} onClose={onClose}>
      <p className="text-soft">Whoever has it is refused from now on, for ever. Requests that run go on to their end, and its past requests keep its name.</p>
      {bound.length > 0 && <p className="mt-2 text-soft">Nothing will come with it any more: {bound.length === 1 ? "a binding of it is" : `${bound.length} bindings of it are`} of no use then.</p>}
      <FormProblem message={revoke.problem} />
      <DialogEnd>
        <Button data-first onClick={onClose}>Keep it</Button>
        <Button kind="danger" disabled={revoke.busy} onClick={() => void revoke.run().then((done) => done && onClose())}>Revoke the key</Button>
      </DialogEnd>
    </Dialog>
  );
}
