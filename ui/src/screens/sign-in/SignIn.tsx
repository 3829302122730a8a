// The dialog of one sign-in, from the choice to its end. The form stays where it is, unseen, while a sign-in goes on:
// whoever has to try again finds what was typed. Closing it calls off what nobody has answered.
import { useState } from "react";
import { useCancelSignIn, useSignIn } from "../../api/signIns.ts";
import type { Account } from "../../api/types.ts";
import { Dialog } from "../../parts/Dialog.tsx";
import { Course } from "./Course.tsx";
import { SignInForm } from "./SignInForm.tsx";
import { isOpen } from "./words.ts";

export function SignIn({ account, onClose }: { account?: Account; onClose: () => void }) {
  const [begun, setBegun] = useState<string | null>(null);
  const { data: look, error } = useSignIn(begun);
  const cancel = useCancelSignIn();
  const leave = () => {
    if (begun && look && isOpen(look)) void cancel.run(begun);
    onClose();
  };
  return (
    <Dialog title={titleFor(account)} firm={begun !== null} wide={begun === null} onClose={leave}>
      <SignInForm account={account} hidden={begun !== null} onBegun={setBegun} onClose={leave} />
      {begun !== null && <Course look={look} error={error} onBack={() => setBegun(null)} onClose={leave} />}
    </Dialog>
  );
}

function titleFor(account: Account | undefined): string {
  if (!account) return "Sign in";
  return account.sign_in ? `Sign in to ${account.name} again` : `Sign in to ${account.name}`;
}
