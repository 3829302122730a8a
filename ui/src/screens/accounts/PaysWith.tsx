// What an account with a credential of its own pays with, and the way to the other kind.
import { useProviders, useStatus } from "../../api/queries.ts";
import { useSignInDefinitions } from "../../api/signIns.ts";
import type { Account } from "../../api/types.ts";
import { Button } from "../../parts/Button.tsx";
import { vaultWord } from "../../parts/Foot.tsx";
import { definitionsFor } from "../sign-in/filled.ts";
import { signedInWords } from "../sign-in/words.ts";

export function PaysWith({ account, onSignIn }: { account: Account; onSignIn: () => void }) {
  const { data: definitions = [] } = useSignInDefinitions();
  const { data: providers = [] } = useProviders();
  const { data: status } = useStatus();
  // Nothing to offer where its provider has no way to sign in.
  if (!account.sign_in && definitionsFor(account, definitions, providers).length === 0) return null;
  return (
    <div className="mb-3 flex items-center justify-between gap-4 text-soft">
      {account.sign_in
        ? <p>{signedInWords(account, definitions, Date.now())}. A key would take its place, and the sign-in would be given back to its provider.</p>
        : <p>It pays with a key. A sign-in can take its place: once that has worked, the key is deleted from {vaultWord(status?.vault)}. Name, settings and history stay.</p>}
      <Button kind="text" onClick={onSignIn}>{account.sign_in ? "Sign in again" : "Sign in instead"}</Button>
    </div>
  );
}
