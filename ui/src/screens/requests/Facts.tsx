// Names and values of one kind. A value that is not known is "–".
import type { ReactNode } from "react";
import { UNKNOWN } from "../../words/numbers.ts";

export type Fact = [name: string, value: ReactNode] | null;

export function Facts({ title, of }: { title: string; of: Fact[] }) {
  return (
    <section className="mt-5">
      <h3 className="border-b border-line pb-1">{title}</h3>
      <dl className="mt-1.5">
        {of.map((fact) => fact && (
          <div key={fact[0]} className="grid grid-cols-[128px_1fr] gap-x-3 py-0.5">
            <dt className="text-soft">{fact[0]}</dt>
            <dd className="min-w-0 break-words select-text">
              {fact[1] ?? <span className="text-faint" title="Not known: nobody has said.">{UNKNOWN}</span>}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
