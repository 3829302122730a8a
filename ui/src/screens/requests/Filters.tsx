// Narrows the list. What is chosen stands in the address, so that it can be kept and gone back to.
import { useAccounts } from "../../api/queries.ts";
import { linkTo, withParams, type Place } from "../../nav/place.ts";
import { go } from "../../nav/usePlace.ts";
import { fieldLook } from "../../parts/Field.tsx";
import { endings, endingWord } from "../../words/endings.ts";
import { RUNNING } from "./filter.ts";

export function Filters({ place }: { place: Place }) {
  const { data: accounts = [] } = useAccounts();
  const { params } = place;
  const set = (name: string) => (value: string) => go(withParams(place, { [name]: value || null, focus: null }), true);
  const account = params.get("account") ?? "";
  const choices = accounts.map(({ id, name }) => [String(id), name] as [string, string]);
  // An account that is gone can still stand in an address.
  if (account && !choices.some(([id]) => id === account)) choices.push([account, `Account ${account}, removed`]);
  const narrowed = ["account", "ending", "q"].some((name) => params.get(name));
  return (
    <div className="flex flex-wrap items-center gap-x-4 gap-y-2 pt-6 pb-4">
      <h1 className="mr-auto text-sentence font-normal">Requests</h1>
      {narrowed && <a href={linkTo("requests", { open: params.get("open") })} className="text-accent hover:underline underline-offset-3">Show all</a>}
      <Pick label="Account" value={account} onPick={set("account")} any="All accounts" options={choices} />
      <Pick
        label="Ending" value={params.get("ending") ?? ""} onPick={set("ending")} any="All endings"
        options={[[RUNNING, "Still running"], ...endings.map((each) => [each, endingWord[each]] as [string, string])]}
      />
      <input
        data-filter type="search" aria-label="Words in the rows" placeholder="Model, session, id…  /"
        value={params.get("q") ?? ""} onChange={(event) => set("q")(event.target.value)}
        autoFocus={params.get("focus") === "filter"} spellCheck={false}
        className={`${fieldLook} max-w-60`}
      />
    </div>
  );
}

type PickProps = { label: string; value: string; any: string; options: [value: string, word: string][]; onPick: (value: string) => void };

function Pick({ label, value, any, options, onPick }: PickProps) {
  return (
    <select aria-label={label} value={value} onChange={(event) => onPick(event.target.value)} className={`${fieldLook} !w-auto max-w-44`}>
      <option value="">{any}</option>
      {options.map(([each, word]) => <option key={each} value={each}>{word}</option>)}
    </select>
  );
}
