// Usage windows in lines: how full each is, and when it starts anew.
import type { UsageWindow } from "../api/types.ts";
import { ahead, clock, exactTime } from "../words/times.ts";
import { inTrackOrder, levelOf, used, windowTitle } from "../words/windows.ts";

const levels = { left: "", care: "text-cooling", spent: "text-bad font-medium", unknown: "text-faint" };

export function WindowList({ windows, now }: { windows: UsageWindow[]; now: number }) {
  if (windows.length === 0) return <span className="text-faint" title="The upstream has not stated a limit yet.">–</span>;
  return (
    <ul>
      {inTrackOrder(windows).map((window) => (
        <li key={window.name} className="flex gap-3 whitespace-nowrap" title={`Resets ${exactTime(window.resets_at)}`}>
          <span className="w-16 text-soft">{windowTitle(window)}</span>
          <span className={`w-12 text-right ${levels[levelOf(window)]}`}>{used(window)}</span>
          {window.resets_at && (
            <span className="text-soft">
              <span className="max-wide:sr-only">resets </span>
              {clock(window.resets_at, now)} <span className="max-wide:hidden">{ahead(window.resets_at, now)}</span>
            </span>
          )}
        </li>
      ))}
    </ul>
  );
}
