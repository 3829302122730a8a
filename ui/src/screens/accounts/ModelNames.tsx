// Under which names the account's upstream knows models: a small table, one row more than is filled in.
import { useId } from "react";
import { Button } from "../../parts/Button.tsx";
import { fieldLook } from "../../parts/Field.tsx";
import { useRows } from "../../parts/useRows.ts";

export function ModelNames({ models }: { models: Record<string, string> }) {
  const id = useId();
  const { rows, add, drop } = useRows(Object.entries(models));
  return (
    <fieldset className="mb-3" aria-describedby={`${id}-hint`}>
      <legend className="mb-1 text-soft">Models by another name</legend>
      {rows.map(({ key, is: [asked, sent] }, at) => (
        <div key={key} className="mb-1 grid grid-cols-[1fr_auto_1fr_auto] items-center gap-2">
          <input name="asked" aria-label={`Model ${at + 1}: asked for`} defaultValue={asked} placeholder="claude-opus-5-5" className={fieldLook} spellCheck={false} autoComplete="off" />
          <span aria-hidden="true" className="text-faint">→</span>
          <input name="sent" aria-label={`Model ${at + 1}: sent`} defaultValue={sent} placeholder="glm-5.2" className={fieldLook} spellCheck={false} autoComplete="off" />
          <Button aria-label={`Leave out model ${at + 1}`} onClick={() => drop(key)}>×</Button>
        </div>
      ))}
      <Button onClick={() => add(["", ""])}>Add a name</Button>
      <p id={`${id}-hint`} className="mt-1 text-small text-faint">What a client asks for, and what this account's upstream calls it.</p>
    </fieldset>
  );
}
