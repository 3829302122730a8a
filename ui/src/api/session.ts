// A browser's right to talk to the core: the ticket of a one-time link becomes a token that this tab
// keeps. The ticket leaves the address bar before anything else happens.

const KEPT_AS = "headgate-token";

export type Tab = {
  location: Pick<Location, "hash" | "pathname" | "search">;
  history: Pick<History, "replaceState">;
  sessionStorage: Pick<Storage, "getItem" | "setItem" | "removeItem">;
};

/** The ticket in `#ticket=…`, if the page was opened by a one-time link. */
export function ticketIn(hash: string): string | null {
  return /^#ticket=([^&?]+)/.exec(hash)?.[1] ?? null;
}

/** Trades a ticket for a token if there is one; otherwise leaves the tab as it is. */
export async function openSession(tab: Tab, trade: (ticket: string) => Promise<string | null>): Promise<void> {
  const ticket = ticketIn(tab.location.hash);
  if (!ticket) return;
  tab.history.replaceState(null, "", `${tab.location.pathname}${tab.location.search}#/`);
  const token = await trade(ticket);
  if (token) tab.sessionStorage.setItem(KEPT_AS, token);
}

export function keptToken(tab: Pick<Tab, "sessionStorage">): string | null {
  return tab.sessionStorage.getItem(KEPT_AS);
}

export function forgetToken(tab: Pick<Tab, "sessionStorage">): void {
  tab.sessionStorage.removeItem(KEPT_AS);
}

/** Asks the core for a token; null when it does not take the ticket or does not answer. */
export async function tradeTicket(base: string, ticket: string): Promise<string | null> {
  const response = await fetch(`${base}/api/v1/session`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ticket }),
  }).catch(() => null);
  if (!response?.ok) return null;
  return ((await response.json()) as { token: string }).token;
}
