// From what was typed to what is sent. The core judges it; here only empty and unchanged are told apart.
import type { Account, AccountChange, NewAccount } from "../../api/types.ts";

/** The names that a form asks for and sends instead, row by row; rows left empty are no names. */
export function modelsIn(form: FormData): Record<string, string> {
  const sent = form.getAll("sent");
  const rows = form.getAll("asked").map((asked, at) => [String(asked).trim(), String(sent[at] ?? "").trim()] as const);
  return Object.fromEntries(rows.filter(([asked, to]) => asked || to));
}

const same = (one: Record<string, string>, other: Record<string, string>) =>
  Object.keys(one).length === Object.keys(other).length && Object.entries(one).every(([asked, sent]) => other[asked] === sent);

export type Filled = { name: string; base_url: string; priority: string; key: string; provider?: string; pool?: string; spill?: Spill };

/** Where requests that came with a sign-in may move on to: a word, or the ids of accounts. */
export type Spill = { word: string; ids: number[] };

/** The fields of the form. What may stand there more than once is read apart. */
export function filledIn(form: FormData): Filled {
  const text = (name: string) => String(form.get(name) ?? "");
  return {
    name: text("name"), base_url: text("base_url"), priority: text("priority"), key: text("key"),
    ...(form.has("provider") && { provider: text("provider") }),
    ...(form.has("pool") && { pool: text("pool") }),
    ...(form.has("spill") && { spill: { word: text("spill"), ids: form.getAll("spill_ids").map(Number) } }),
  };
}

/** As it is sent. A path to nobody is none. */
function spillTo({ word, ids }: Spill): NonNullable<AccountChange["spill_to"]> {
  if (word === "all") return "all";
  return word === "some" && ids.length > 0 ? ids : "none";
}

/** How an account's paths are chosen in the form. */
export function spillIn({ spill }: Account): Spill {
  if (!spill) return { word: "none", ids: [] };
  return { word: spill.all ? "all" : "some", ids: spill.accounts };
}

export function newAccountIn(filled: Filled): NewAccount {
  const base_url = filled.base_url.trim();
  return {
    name: filled.name.trim(),
    provider: filled.provider ?? "",
    priority: Number(filled.priority) || 0,
    ...(filled.key.trim() && { key: filled.key.trim() }),
    ...(base_url && { base_url }),
  };
}

/** Only the fields that differ. An emptied address is sent as an empty text, which removes it. */
export function changesIn(filled: Filled, account: Account, models = account.models): AccountChange {
  const name = filled.name.trim();
  const base_url = filled.base_url.trim();
  const priority = Number(filled.priority) || 0;
  const key = filled.key.trim();
  const spill_to = filled.spill && String(spillTo(filled.spill)) !== String(spillTo(spillIn(account))) ? spillTo(filled.spill) : undefined;
  return {
    ...(name !== account.name && { name }),
    ...(base_url !== (account.base_url ?? "") && { base_url }),
    ...(priority !== account.priority && { priority }),
    ...(!same(models, account.models) && { models }),
    ...(key && { key }),
    ...(filled.pool !== undefined && Number(filled.pool) !== account.pool_id && { pool_id: Number(filled.pool) }),
    ...(spill_to !== undefined && { spill_to }),
  };
}
