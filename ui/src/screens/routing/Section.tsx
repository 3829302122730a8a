// A part of the plan: its title, what it is for, the button that makes one more, and its table.
import { useId, type ReactNode } from "react";
import { Button } from "../../parts/Button.tsx";
import { Shape } from "../../parts/Standing.tsx";

type Props = { title: string; about: ReactNode; act: string; onAdd: () => void; children: ReactNode };

export function Section({ title, about, act, onAdd, children }: Props) {
  const id = useId();
  return (
    <section aria-labelledby={id} className="mb-8">
      <div className="flex items-end gap-4 pb-2">
        <div className="min-w-0 flex-1">
          <h2 id={id} className="text-figure">{title}</h2>
          <p className="text-soft">{about}</p>
        </div>
        <Button onClick={onAdd}>{act}</Button>
      </div>
      {children}
    </section>
  );
}

/** A table of the plan. Its last column is for what can be done. */
export function PlanTable({ label, columns, children }: { label: string; columns: [name: string, look?: string][]; children: ReactNode }) {
  return (
    <table aria-label={label} className="stacks w-full border-y border-line">
      <thead className="text-small text-faint">
        <tr className="text-left [&>th]:py-1.5 [&>th]:pr-4 [&>th]:font-normal">
          {columns.map(([name, look], at) => <th key={name} scope="col" className={`${at === 0 ? "pl-2" : ""} ${look ?? ""}`}>{name}</th>)}
          <th scope="col"><span className="sr-only">What you can do</span></th>
        </tr>
      </thead>
      <tbody>{children}</tbody>
    </table>
  );
}

export const rowLook = "border-t border-line align-top hover:bg-surface [&>td]:py-2.5 [&>td]:pr-4 [&>th]:py-2.5 [&>th]:pr-4";

/** The name of a row, which opens it; `j` and `k` go from one to the next. */
export function RowName({ id, name, onOpen }: { id: string; name: string; onOpen: () => void }) {
  return (
    <button type="button" data-row={id} className="text-left font-semibold break-words hover:underline underline-offset-3" onClick={onOpen}>
      {name}
    </button>
  );
}

/** What can be done to a row, in words. */
export function Acts({ children }: { children: ReactNode }) {
  return <span className="inline-flex gap-x-4 -my-1 max-[760px]:flex-col max-[760px]:items-end">{children}</span>;
}

/** What is wrong with it, where requests are refused for it: colour and shape and words. */
export function Fault({ children }: { children: string | null }) {
  if (!children) return null;
  return (
    <p className="flex items-baseline gap-1.5 text-bad">
      <Shape state="needs_sign_in" />
      <span className="min-w-0 break-words">{children}</span>
    </p>
  );
}

/** What does nothing as it stands, and harms nobody. */
export function Idle({ children }: { children: string | null }) {
  return children ? <p className="break-words text-cooling">{children}</p> : null;
}
