// What a key means, given the key before it. Pure; useKeys listens and acts.
import type { Screen } from "./place.ts";

export type Act =
  | { do: "go"; screen: Screen }
  | { do: "filter" | "help" | "next" | "previous" | "leave" | "lead" };

export type Stroke = { key: string; typing: boolean; modified: boolean };

const places: Record<string, Screen> = { o: "overview", a: "accounts", u: "routing", r: "requests", k: "keys", p: "profiles", j: "jobs" };

/** `led` says that the key before was `g`. In a field only Escape has a meaning. */
export function meaning(stroke: Stroke, led: boolean): Act | null {
  if (stroke.modified) return null;
  if (stroke.key === "Escape") return { do: "leave" };
  if (stroke.typing) return null;
  if (led) {
    const screen = places[stroke.key];
    return screen ? { do: "go", screen } : null;
  }
  switch (stroke.key) {
    case "g": return { do: "lead" };
    case "/": return { do: "filter" };
    case "?": return { do: "help" };
    case "j": return { do: "next" };
    case "k": return { do: "previous" };
    default: return null;
  }
}

export const keyHelp: [keys: string[], what: string][] = [
  [["g", "o"], "Overview"],
  [["g", "a"], "Accounts"],
  [["g", "u"], "Routing"],
  [["g", "r"], "Requests"],
  [["g", "k"], "Keys"],
  [["g", "p"], "Profiles"],
  [["g", "j"], "Jobs"],
  [["/"], "Filter the list"],
  [["j"], "Next row"],
  [["k"], "Previous row"],
  [["Enter"], "Open the row"],
  [["Esc"], "Close, go back"],
  [["?"], "These keys"],
];
