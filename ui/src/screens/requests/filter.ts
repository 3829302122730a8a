// What the list is narrowed to. The address holds it; the core answers for account and ending, the
// words are looked for among the rows that are loaded.
import type { RequestFilter } from "../../api/merge.ts";
import type { Account, Request } from "../../api/types.ts";
import { endings } from "../../words/endings.ts";

export const RUNNING = "running";

export type Narrowed = { asked: RequestFilter; words: string };

export function filterIn(params: URLSearchParams, accounts: Pick<Account, "id" | "name">[]): Narrowed {
  const id = Number(params.get("account"));
  const name = accounts.find((each) => each.id === id)?.name ?? null;
  const wanted = params.get("ending");
  const ending = endings.find((each) => each === wanted);
  return {
    asked: { ...(id > 0 && { account: { id, name } }), ...(ending && { ending }), ...(wanted === RUNNING && { running: true }) },
    words: params.get("q")?.trim() ?? "",
  };
}

/** Every word must occur somewhere in what the row says or keeps. */
export function hasWords(request: Request, words: string): boolean {
  if (!words) return true;
  const { id, model, served_model, session, agent, client, path, account, error, attempts } = request;
  const text = [id, model, served_model, session, agent, client, path, account, error, ...attempts.map((a) => a.account)]
    .join("\n")
    .toLowerCase();
  return words.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

/** Rows up to the newest that was there when the list was held; newer ones wait to be shown. */
export function heldRows(rows: Request[], heldAt: string | null): { shown: Request[]; newer: number } {
  if (!heldAt) return { shown: rows, newer: 0 };
  const shown = rows.filter((row) => row.id <= heldAt);
  return { shown, newer: rows.length - shown.length };
}
