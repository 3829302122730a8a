// A new passphrase, typed twice without being shown.
import { Field } from "../../parts/Field.tsx";

export type Typed = [first: string, again: string];
type Props = { label: string; typed: Typed; hint: string; onType: (typed: Typed) => void; first?: boolean };

export function NewPassphrase({ label, typed: [first, again], hint, onType, first: isFirst = true }: Props) {
  const shared = { type: "password", autoComplete: "new-password", maxLength: 1024 } as const;
  return (
    <>
      <Field label={label} hint={hint} value={first} data-first={isFirst || undefined} onChange={(event) => onType([event.target.value, again])} {...shared} />
      <Field label="The same again" value={again} onChange={(event) => onType([first, event.target.value])} {...shared} />
    </>
  );
}
