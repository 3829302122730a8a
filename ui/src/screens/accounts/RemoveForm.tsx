// Asks before an account goes, and says what goes with it.
import { useRemoveAccount } from "../../api/changes.ts";
import { useAccounts, useClientKeys, useProviders, useRoutes, useStatus } from "../../api/queries.ts";
import type { Account } from "../../api/types.ts";
import { Button } from "../../parts/Button.tsx";
import { Dialog, DialogEnd } from "../../parts/Dialog.tsx";
import { vaultWord } from "../../parts/Foot.tsx";
import { FormProblem } from "../../parts/Notice.tsx";

/** What will point at nothing without it, each as a sentence. */
function useLeftBehind(account: Account): string[] {
  const { data: routes = [] } = useRoutes();
  const { data: clientKeys = [] } = useClientKeys();
  const { data: accounts = [] } = useAccounts();
  const namesOf = (found: { name: string }[]) => found.map(({ name }) => name).join(", ");
  const slots = namesOf(routes.filter((route) => route.slots.some((slot) => slot.account_id === account.id)));
  const lists = namesOf(clientKeys.filter((key) => key.accounts?.includes(account.id)));
  const spills = namesOf(accounts.filter(({ spill }) => spill?.accounts.some(({ id }) => id === account.id)));
  return [
    slots && `These routes have a slot that will point at nothing: ${slots}.`,
    lists && `These keys name it, and will be served by the others that they name alone: ${lists}.`,
    spills && `Nothing will spill over to it any more from: ${spills}.`,
  ].filter((line) => line !== "");
}

export function RemoveForm({ account, onClose }: { account: Account; onClose: () => void }) {
  const remove = useRemoveAccount(account.id);
  const { data: status } = useStatus();
  const { data: providers } = useProviders();
  const hasKey = providers?.find((each) => each.id === account.provider)?.credential !== "client";
  const left = useLeftBehind(account);
  return (
    <Dialog title={`Remove ${account.name}?`} onClose={onClose}>
      <ul className="list-disc space-y-1 pl-4 text-soft">
        {account.sign_in && <li>It is signed out: its sign-in is deleted from {vaultWord(status?.vault)}, and given back to its provider where that takes it back.</li>}
        {hasKey && !account.sign_in && <li>Its key is deleted from {vaultWord(status?.vault)}. Headgate cannot bring it back.</li>}
        <li>Its settings and what is known of its usage windows are forgotten.</li>
        <li>Its past requests stay, with its name.</li>
        {left.map((line) => <li key={line}>{line}</li>)}
      </ul>
      <FormProblem message={remove.problem} />
      <DialogEnd>
        <Button data-first onClick={onClose}>Keep it</Button>
        <Button kind="danger" disabled={remove.busy} onClick={() => void remove.run().then((done) => done && onClose())}>
          Remove the account
        </Button>
      </DialogEnd>
    </Dialog>
  );
}
