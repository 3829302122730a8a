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

export type Filled = { name: string; base_url: string; priority: string; key: string; provider?: string };

export function newAccountIn(filled: Filled): NewAccount {
  const base_url = filled.base_url.trim();
  return {
    name: filled.name.trim(),
    provider: filled.provider ?? "",
    priority: Number(filled.priority) || 0,
    key: filled.key.trim(),
    ...(base_url && { base_url }),
  };
}

/** Only the fields that differ. An emptied address is sent as an empty text, which removes it. */
export function changesIn(filled: Filled, account: Account, models = account.models): AccountChange {
  const name = filled.name.trim();
  const base_url = filled.base_url.trim();
  const priority = Number(filled.priority) || 0;
  const key = filled.key.trim();
  return {
    ...(name !== account.name && { name }),
    ...(base_url !== (account.base_url ?? "") && { base_url }),
    ...(priority !== account.priority && { priority }),
    ...(!same(models, account.models) && { models }),
    ...(key && { key }),
  };
}
