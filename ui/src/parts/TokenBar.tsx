// A request's tokens as one small stacked bar: cached, fresh, out. Bars of one list share a scale.
import type { Usage } from "../api/types.ts";
import { exact } from "../words/numbers.ts";

export function tokensIn(usage: Usage): number | null {
  const parts = [usage.input, usage.cache_read, usage.cache_write].filter((n) => n != null);
  return parts.length ? parts.reduce((sum, n) => sum + n, 0) : null;
}

export function TokenBar({ usage, most }: { usage: Usage; most: number }) {
  const fresh = (usage.input ?? 0) + (usage.cache_write ?? 0);
  const kinds = [
    ["cached", usage.cache_read ?? 0, "var(--color-cached)"],
    ["fresh", fresh, "var(--color-fresh)"],
    ["out", usage.output ?? 0, "var(--color-out)"],
  ] as const;
  const title = `${exact(usage.cache_read)} read from cache · ${exact(fresh)} fresh · ${exact(usage.output)} out`;
  return (
    <span className="token-bar" title={title} aria-hidden="true">
      {kinds.map(([kind, n, background]) =>
        n > 0 && <i key={kind} style={{ background, width: `${(n / Math.max(most, 1)) * 100}%` }} />)}
    </span>
  );
}
