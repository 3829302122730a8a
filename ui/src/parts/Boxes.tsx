// Boxes to tick: several of many, each with its name and what is to be known of it.

type Props = { legend: string; name: string; chosen: string[]; options: (readonly [string, string, string?])[]; hint?: string };

export function Boxes({ legend, name, chosen, options, hint }: Props) {
  return (
    <fieldset className="mb-3">
      <legend className="mb-1 text-soft">{legend}</legend>
      <div className="max-h-28 overflow-y-auto">
        {options.map(([value, label, about]) => (
          <label key={value} className="flex items-baseline gap-2">
            <input type="checkbox" name={name} value={value} defaultChecked={chosen.includes(value)} className="accent-accent" />
            <span>{label}{about && <span className="text-faint">, {about}</span>}</span>
          </label>
        ))}
      </div>
      {hint && <p className="mt-1 text-small text-faint">{hint}</p>}
    </fieldset>
  );
}
