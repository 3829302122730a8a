// Pauses an account, with a reason for whoever wonders later.
import type { FormEvent } from "react";
import { usePauseAccount } from "../../api/changes.ts";
import type { Account } from "../../api/types.ts";
import { Dialog } from "../../parts/Dialog.tsx";
import { Field } from "../../parts/Field.tsx";
import { FormEnd } from "../../parts/FormEnd.tsx";

export function PauseForm({ account, onClose }: { account: Account; onClose: () => void }) {
  const pause = usePauseAccount(account.id);
  async function send(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const reason = String(new FormData(event.currentTarget).get("reason") ?? "").trim();
    if (await pause.run(reason)) onClose();
  }
  return (
    <Dialog title={`Pause ${account.name}?`} onClose={onClose}>
      <form onSubmit={(event) => void send(event)}>
        <p className="mb-4 text-soft">It gets no new requests until you resume it. Requests that it is serving go on to their end.</p>
        <Field label="Reason" name="reason" data-first placeholder="Saving it for tonight" hint="You may leave it empty." autoComplete="off" maxLength={200} />
        <FormEnd change={pause} act="Pause the account" onClose={onClose} />
      </form>
    </Dialog>
  );
}
