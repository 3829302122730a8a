// An answer that a deep link brought is used only after a yes: any page can open such a link. It stands above whatever
// screen there is, since it comes when it comes.
import { useAccounts } from "../../api/queries.ts";
import { useCancelSignIn, useFinishSignIn, useSignIns } from "../../api/signIns.ts";
import type { SignInView } from "../../api/types.ts";
import { Button } from "../../parts/Button.tsx";
import { Dialog, DialogEnd } from "../../parts/Dialog.tsx";
import { FormProblem } from "../../parts/Notice.tsx";
import { whoseWords } from "./words.ts";

export function Answered() {
  const { data = [] } = useSignIns();
  const answered = data.find(({ state }) => state === "answered");
  return answered ? <Question key={answered.id} look={answered} /> : null;
}

function Question({ look }: { look: SignInView }) {
  const { data: accounts = [] } = useAccounts();
  const [finish, cancel] = [useFinishSignIn(), useCancelSignIn()];
  const whose = whoseWords(look, accounts);
  const refuse = () => void cancel.run(look.id);
  const busy = finish.busy || cancel.busy;
  return (
    <Dialog title={`Finish signing in to ${whose}?`} firm onClose={refuse}>
      <p>
        An answer for the sign-in of <b>{whose}</b> with {look.title} has come back by a link.
      </p>
      <p className="mt-2 text-soft">Finish only if you have just signed in there yourself. Refusing calls the sign-in off and changes nothing.</p>
      <FormProblem message={finish.problem ?? cancel.problem} />
      <DialogEnd>
        <Button data-first disabled={busy} onClick={refuse}>Refuse</Button>
        <Button kind="loud" disabled={busy} onClick={() => void finish.run(look.id)}>Finish the sign-in</Button>
      </DialogEnd>
    </Dialog>
  );
}
