// How a form in a dialog ends: the core's words where it refused, then the way out and the act.
import type { Change } from "../api/changes.ts";
import { Button } from "./Button.tsx";
import { DialogEnd } from "./Dialog.tsx";
import { FormProblem } from "./Notice.tsx";

type Props = { change: Pick<Change<never>, "busy" | "problem">; act: string; unready?: boolean; onClose: () => void };

export function FormEnd({ change: { busy, problem }, act, unready = false, onClose }: Props) {
  return (
    <>
      <FormProblem message={problem} />
      <DialogEnd>
        <Button onClick={onClose}>Cancel</Button>
        <Button kind="loud" type="submit" disabled={busy || unready}>{act}</Button>
      </DialogEnd>
    </>
  );
}
