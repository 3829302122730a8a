// What would happen now to a request like the one described. Nothing is sent, spent or bound, and the answer
// follows whatever moves. What is asked stands in the address.
import { useState, type FormEvent } from "react";
import { useExplain } from "../../api/queries.ts";
import type { ClientKey } from "../../api/types.ts";
import { withParams, type Place } from "../../nav/place.ts";
import { go } from "../../nav/usePlace.ts";
import { Button } from "../../parts/Button.tsx";
import { Choice, Field } from "../../parts/Field.tsx";
import { FormProblem } from "../../parts/Notice.tsx";
import { Reasons } from "../../parts/Reasons.tsx";
import { useNow } from "../../parts/useNow.ts";
import { families, roles, roleWord } from "../../words/plan.ts";
import { clockSeconds } from "../../words/times.ts";
import { describedIn, nothingDescribed, orderIn } from "./filled.ts";
import { wouldGo } from "./words.ts";

export function DryRun({ place, clientKeys }: { place: Place; clientKeys: ClientKey[] }) {
  const order = orderIn(place.params);
  const { data, error, isFetching, refetch } = useExplain(order);
  const [cleared, setCleared] = useState(0);

  function send(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const link = withParams(place, describedIn(new FormData(event.currentTarget)));
    if (link === withParams(place, {})) void refetch();
    else go(link, true);
  }

  function clear() {
    setCleared(cleared + 1);
    go(withParams(place, nothingDescribed), true);
  }

  return (
    <aside aria-labelledby="dry-run" className="min-w-0 wide:sticky wide:top-4 wide:max-h-[calc(100vh-32px)] wide:self-start wide:overflow-y-auto wide:border-l wide:border-line wide:pr-1 wide:pb-2 wide:pl-6">
      <h2 id="dry-run" className="text-figure">What would happen now</h2>
      <p className="mb-3 text-soft">To a request like this. Nothing is sent, and nothing is spent.</p>
      <form onSubmit={send} autoComplete="off">
        <Description key={cleared} params={place.params} clientKeys={clientKeys} />
        <div className="flex gap-2">
          <Button kind="loud" type="submit">Ask</Button>
          {order && <Button onClick={clear}>Clear</Button>}
        </div>
        <FormProblem message={order && error ? error.message : null} />
      </form>
      {order && !data && !error && isFetching && <p role="status" className="py-4 text-faint">Asking…</p>}
      {order && data && !error && <Answer decision={data} />}
    </aside>
  );
}

function Answer({ decision }: { decision: NonNullable<ReturnType<typeof useExplain>["data"]> }) {
  const now = useNow(15_000);
  return (
    <section aria-label="The answer" className="mt-5 border-t border-line pt-3">
      <p className="font-medium break-words select-text">{wouldGo(decision, now)}</p>
      <Reasons decision={decision} now={now} />
      <p className="mt-2 text-small text-faint">As of {clockSeconds(decision.at)}. It is asked again when something moves.</p>
    </section>
  );
}

function Description({ params, clientKeys }: { params: URLSearchParams; clientKeys: ClientKey[] }) {
  const is = (name: string) => params.get(name) ?? "";
  const rare = ["directory", "role", "agent_type", "session", "login", "images", "tools", "count"].some((name) => params.has(name));
  return (
    <div>
      <datalist id="families">{families.map((family) => <option key={family} value={family} />)}</datalist>
      <div className="grid grid-cols-2 gap-x-4 max-wide:board:grid-cols-4">
        <Field label="Model" name="model" defaultValue={is("model")} placeholder="opus" list="families" />
        <Field label="Tokens of its prompt" name="tokens" defaultValue={is("tokens")} placeholder="Not known" type="number" min={0} step={1} />
        <Field label="Project" name="project" defaultValue={is("project")} placeholder="None" />
        <Choice label="Key" name="key" defaultValue={is("key")}>
          <option value="">None</option>
          {clientKeys.map(({ id, name }) => <option key={id} value={name}>{name}</option>)}
        </Choice>
      </div>
      <details open={rare} className="mb-3">
        <summary className="mb-2 text-accent">More about it</summary>
        <div className="grid grid-cols-2 gap-x-4 max-wide:board:grid-cols-4">
          <Field label="Folder" name="directory" defaultValue={is("directory")} placeholder="/work/shop" />
          <Choice label="Role" name="role" defaultValue={is("role")}>
            <option value="">Not said</option>
            {roles.map((role) => <option key={role} value={role}>{roleWord[role]}</option>)}
          </Choice>
          <Field label="Type of agent" name="agent_type" defaultValue={is("agent_type")} placeholder="Not said" />
          <Field label="Session" name="session" defaultValue={is("session")} placeholder="A new one" />
          <Choice label="Claude Code's sign-in" name="login" defaultValue={is("login")}>
            <option value="">Not said</option>
            <option value="yes">Comes with it</option>
            <option value="no">Comes without</option>
          </Choice>
          <div className="mb-3 flex flex-col justify-end">
            {[["images", "Shows images"], ["tools", "Offers tools"], ["count", "Asks for a count of tokens"]].map(([name = "", word]) => (
              <label key={name} className="flex items-baseline gap-2">
                <input type="checkbox" name={name} defaultChecked={params.has(name)} className="accent-accent" />
                {word}
              </label>
            ))}
          </div>
        </div>
      </details>
    </div>
  );
}
