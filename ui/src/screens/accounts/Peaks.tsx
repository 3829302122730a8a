// Hours of the week in which an account is spared, a rule for each.
import { useId } from "react";
import type { Peak } from "../../api/types.ts";
import { Button } from "../../parts/Button.tsx";
import { fieldLook } from "../../parts/Field.tsx";
import { useRows } from "../../parts/useRows.ts";
import { dayWord, week } from "../../words/guards.ts";

/** What a new rule begins as: office hours. */
const usual: Peak = { days: week.slice(0, 5), from: "09:00", to: "17:00", zone: null, then: "last" };

export function Peaks({ peaks }: { peaks: Peak[] }) {
  const id = useId();
  const { rows, add, drop } = useRows(peaks);
  return (
    <fieldset aria-describedby={`${id}-hint`}>
      <legend className="mb-1 text-soft">Peak hours: when it is spared</legend>
      {rows.map(({ key, is }, at) => (
        <fieldset key={key} className="mb-2 border-l-2 border-line pl-3">
          <legend className="sr-only">Rule {at + 1}</legend>
          <input type="hidden" name="peak" value={key} />
          <div className="mb-1 flex flex-wrap items-center gap-x-3">
            {week.map((day) => (
              <label key={day} className="inline-flex items-baseline gap-1">
                <input type="checkbox" name={`days_${key}`} value={day} defaultChecked={is.days.includes(day)} className="accent-accent" />
                {dayWord(day)}
              </label>
            ))}
          </div>
          <div className="grid grid-cols-[120px_auto_120px_minmax(0,3fr)_minmax(0,2fr)_auto] items-center gap-2 max-[600px]:grid-cols-[1fr_auto_1fr]">
            <input name="from" type="time" aria-label={`Rule ${at + 1}: from`} defaultValue={is.from} required className={fieldLook} />
            <span className="text-soft">to</span>
            <input name="to" type="time" aria-label={`Rule ${at + 1}: to`} defaultValue={is.to} required className={fieldLook} />
            <input name="zone" aria-label={`Rule ${at + 1}: time zone`} defaultValue={is.zone ?? ""} placeholder="This machine's clock" list={`${id}-zones`} className={`${fieldLook} max-[600px]:col-span-full`} spellCheck={false} autoComplete="off" />
            <select name="then" aria-label={`Rule ${at + 1}: what is done`} defaultValue={is.then} className={`${fieldLook} max-[600px]:col-span-2`}>
              <option value="last">Comes last</option>
              <option value="unused">Is not used</option>
            </select>
            <Button className="!px-2 justify-self-end" aria-label={`Leave out rule ${at + 1}`} onClick={() => drop(key)}>×</Button>
          </div>
        </fieldset>
      ))}
      <datalist id={`${id}-zones`}>{Intl.supportedValuesOf("timeZone").map((zone) => <option key={zone} value={zone} />)}</datalist>
      <Button onClick={() => add(usual)}>Add hours</Button>
      <p id={`${id}-hint`} className="mt-1 text-small text-faint">
        The days are those on which it begins. An end that is not after the start lies on the next day. Of two rules that meet, the stricter counts.
      </p>
    </fieldset>
  );
}
