// Asks an account's upstream for one token, and shows what came of it. It says before that it costs something.
import type { FormEvent } from "react";
import { useProbe } from "../../api/probes.ts";
import type { Account, Probe } from "../../api/types.ts";
import { linkTo } from "../../nav/place.ts";
import { Button } from "../../parts/Button.tsx";
import { Dialog, DialogEnd } from "../../parts/Dialog.tsx";
import { Field } from "../../parts/Field.tsx";
import { FormProblem } from "../../parts/Notice.tsx";
import { duration } from "../../words/times.ts";

export function TestForm({ account, onClose }: { account: Account; onClose: () => void }) {
  const { run, busy, problem, found } = useProbe(account.id);
  function send(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    void run(String(new FormData(event.currentTarget).get("model") ?? "").trim());
  }
  return (
    <Dialog title={`Test ${account.name}`} onClose={onClose}>
      <form onSubmit={send} autoComplete="off">
        <p className="mb-4 text-soft">
          Its upstream is asked for one token, under Headgate's own name. That costs what one token costs and stands among the requests. What
          fails takes nothing out of service.
        </p>
        <Field label="Model" name="model" data-first placeholder="The first of its list" hint="You may leave it empty." maxLength={128} autoComplete="off" />
        <div role="status" aria-live="polite">
          {busy && <p className="text-soft">Waiting for the answer, 30 seconds at most…</p>}
          {found && <Found {...found} />}
        </div>
        <FormProblem message={problem} />
        <DialogEnd>
          <Button onClick={onClose}>{busy ? "Give it up" : "Close"}</Button>
          <Button kind="loud" type="submit" disabled={busy}>{found ? "Test again" : "Test the connection"}</Button>
        </DialogEnd>
      </form>
    </Dialog>
  );
}

function Found({ works, says, next, told, url, model, status, first_byte_ms, http, tls, request_id }: Probe) {
  const took = first_byte_ms == null ? null : `first byte after ${duration(first_byte_ms)}`;
  return (
    <div className={`border-l-2 pl-3 ${works ? "border-ready" : "border-bad"}`}>
      <p className={`break-words font-medium ${works ? "" : "text-bad"}`}>{says}</p>
      {next && <p className="mt-1">{next}</p>}
      {told && <p className="mt-1 break-words text-soft select-text">{told}</p>}
      <p className="mono mt-2 break-all text-small text-soft select-text">POST {url}</p>
      <p className="break-words text-small text-soft">
        {[model, status && `status ${status}`, took, http, tls].filter(Boolean).join(", ")}.{" "}
        <a className="text-accent underline underline-offset-3" href={linkTo("requests", { open: request_id })}>See the request</a>
      </p>
    </div>
  );
}
