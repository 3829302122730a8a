// A labelled field of a form, with a line below that says what it is for.
import { useId, type InputHTMLAttributes, type ReactNode, type SelectHTMLAttributes } from "react";

export const fieldLook =
  "h-7 w-full rounded-md border border-edge bg-paper px-2 text-ink placeholder:text-faint disabled:opacity-60";

type Around = { "data-first"?: boolean; label: string; hint?: ReactNode };

export function Field({ label, hint, ...rest }: Around & InputHTMLAttributes<HTMLInputElement>) {
  const id = useId();
  return (
    <Labelled id={id} label={label} hint={hint}>
      <input id={id} aria-describedby={hint ? `${id}-hint` : undefined} className={fieldLook} spellCheck={false} {...rest} />
    </Labelled>
  );
}

export function Choice({ label, hint, ...rest }: Around & SelectHTMLAttributes<HTMLSelectElement>) {
  const id = useId();
  return (
    <Labelled id={id} label={label} hint={hint}>
      <select id={id} aria-describedby={hint ? `${id}-hint` : undefined} className={fieldLook} {...rest} />
    </Labelled>
  );
}

function Labelled({ id, label, hint, children }: Around & { id: string; children: ReactNode }) {
  return (
    <div className="mb-3">
      <label htmlFor={id} className="block mb-1 text-soft">{label}</label>
      {children}
      {hint && <p id={`${id}-hint`} className="mt-1 text-small text-faint">{hint}</p>}
    </div>
  );
}
