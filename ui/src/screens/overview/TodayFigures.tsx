// What today took, since midnight: requests and tokens.
import type { Today } from "../../api/types.ts";
import { exact, type Maybe, share, short, total } from "../../words/numbers.ts";

export function TodayFigures({ today }: { today: Today }) {
  const input = total(today.input, today.cache_read, today.cache_write);
  const cached = input && today.cache_read != null ? share(today.cache_read / input) : null;
  return (
    <section aria-labelledby="today">
      <h2 id="today" className="border-b border-line pb-1">Today</h2>
      <dl className="today">
        <Figure name="Requests" value={today.requests} />
        <Figure name="complete" value={today.complete} minor />
        <Figure name="rescued" value={today.rescued} minor title="Complete only because another account took over." />
        <Figure name="Tokens in" value={input} />
        <Figure name={cached ? `from cache, ${cached}` : "from cache"} value={today.cache_read} minor />
        <Figure name="into cache" value={today.cache_write} minor />
        <Figure name="Tokens out" value={today.output} />
      </dl>
    </section>
  );
}

function Figure({ name, value, minor, title }: { name: string; value: Maybe; minor?: boolean; title?: string }) {
  return (
    <div className={minor ? "minor" : "major"} title={title}>
      <dt>{name}</dt>
      <dd title={exact(value)}>{short(value)}</dd>
    </div>
  );
}
