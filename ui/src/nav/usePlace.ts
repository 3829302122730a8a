// The address as state: screens read filters from it and write them back, and keep no copy.
import { useMemo, useSyncExternalStore } from "react";
import { readPlace, type Place } from "./place.ts";

function subscribe(changed: () => void): () => void {
  window.addEventListener("hashchange", changed);
  return () => window.removeEventListener("hashchange", changed);
}

export function usePlace(): Place {
  const hash = useSyncExternalStore(subscribe, () => window.location.hash);
  return useMemo(() => readPlace(hash), [hash]);
}

/** Goes to a link; `replace` where going back should not pass every letter of a filter. */
export function go(link: string, replace = false): void {
  if (!replace) {
    window.location.hash = link;
    return;
  }
  window.history.replaceState(null, "", link);
  window.dispatchEvent(new HashChangeEvent("hashchange"));
}
