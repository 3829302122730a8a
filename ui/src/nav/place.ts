// Where the reader is: the part of the address behind `#`. The window loads the page from a scheme
// without a server behind it, so the path itself must never change.

export const screens = ["overview", "accounts", "routing", "requests", "keys", "profiles", "jobs"] as const;
export type Screen = (typeof screens)[number];

/** What each is called at the top of the page and in the title of its tab. */
export const titles: Record<Screen, string> = {
  overview: "Overview", accounts: "Accounts", routing: "Routing", requests: "Requests", keys: "Keys", profiles: "Profiles", jobs: "Jobs",
};

export type Place = { screen: Screen; params: URLSearchParams };

/** Reads `#/requests?ending=complete`; anything unknown is the overview. */
export function readPlace(hash: string): Place {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const screen = screens.find((s) => s === path) ?? "overview";
  return { screen, params: new URLSearchParams(query) };
}

/** The address of a place; parameters without a value are left out. */
export function linkTo(screen: Screen, params: Record<string, string | null | undefined> = {}): string {
  const kept = Object.entries(params).filter((pair): pair is [string, string] => Boolean(pair[1]));
  const query = new URLSearchParams(kept).toString();
  const path = screen === "overview" ? "#/" : `#/${screen}`;
  return query ? `${path}?${query}` : path;
}

/** The same place with some parameters changed. */
export function withParams(place: Place, changes: Record<string, string | null>): string {
  return linkTo(place.screen, { ...Object.fromEntries(place.params), ...changes });
}
