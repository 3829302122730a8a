// What Headgate does with an account by itself: opening its windows, and keeping prompts in the cache. Off unless a
// person has chosen it; whoever chooses is told what it costs.
import { useState } from "react";
import { MOST_REPEATS } from "../../api/bounds.ts";
import { useOpenWindow } from "../../api/changes.ts";
import type { Account } from "../../api/types.ts";
import { Button } from "../../parts/Button.tsx";
import { Choice, Field } from "../../parts/Field.tsx";
import { dayWord, week } from "../../words/guards.ts";
import { openingIn } from "./filled.ts";

export function TimedFields({ account }: { account: Account }) {
  const before = openingIn(account);
  const [when, setWhen] = useState(before.when);
  const open = useOpenWindow(account.id);
  const [done, setDone] = useState(false);
  return (
    <>
      <Choice
        label="Open its usage windows" name="open_when" value={when} onChange={(event) => setWhen(event.target.value as typeof when)}
        hint="By a request of one token that names Headgate and counts like any other."
      >
        <option value="off">Never by themselves</option>
        <option value="at_reset">At each reset</option>
        <option value="at">At a time of day</option>
      </Choice>
      {when === "at" && (
        <fieldset className="mb-3 flex flex-wrap items-center gap-x-3">
          <legend className="sr-only">Days and time</legend>
          {week.map((day) => (
            <label key={day} className="inline-flex items-baseline gap-1">
              <input type="checkbox" name="open_days" value={day} defaultChecked={before.days.includes(day)} className="accent-accent" />
              {dayWord(day)}
            </label>
          ))}
          <Field label="Time" name="open_time" type="time" defaultValue={before.time} required />
        </fieldset>
      )}
      <p className="mb-3 flex items-center justify-between gap-4 text-soft">
        <span role="status">{open.problem ?? (done ? "A window was opened." : "One that is not open can be opened at any time.")}</span>
        <Button kind="text" disabled={open.busy} onClick={() => void open.run().then(setDone)}>Start one now</Button>
      </p>
      <Field
        label="Keep prompts warm" name="keep_warm" type="number" min={0} max={MOST_REPEATS} step={1} defaultValue={account.keep_warm ?? 0}
        hint="How often in a row a big prompt is repeated for one token before it leaves the cache; 0 is never."
      />
    </>
  );
}
