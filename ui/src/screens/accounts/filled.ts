// From what was typed to what is sent. The core judges it; here only empty and unchanged are told apart.
import type { Account, AccountChange, NewAccount } from "../../api/types.ts";

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
export function changesIn(filled: Filled, account: Account): AccountChange {
  const name = filled.name.trim();
  const base_url = filled.base_url.trim();
  const priority = Number(filled.priority) || 0;
  const key = filled.key.trim();
  return {
    ...(name !== account.name && { name }),
    ...(base_url !== (account.base_url ?? "") && { base_url }),
    ...(priority !== account.priority && { priority }),
    ...(key && { key }),
  };
}
