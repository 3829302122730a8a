// How it is told where keys are kept.
import type { Vault, VaultKind } from "../../api/types.ts";

const homes: Record<VaultKind, string> = { keychain: "the system's keychain", file: "a sealed file", memory: "memory" };

/** "the system's keychain" */
export function homeWord(kind: VaultKind): string {
  return homes[kind];
}

export function secrets(count: number): string {
  return count === 1 ? "1 secret" : `${count} secrets`;
}

/** "Keys are kept in a sealed file, sealed with a passphrase. It works, and holds 3 secrets." */
export function vaultWords(vault: Pick<Vault, "kind" | "secured" | "problem" | "secrets" | "looked_at">): string {
  const secured = { system: "", key_file: ", with a key in a file beside it", passphrase: ", sealed with a passphrase" }[vault.secured];
  return `Keys are kept in ${homeWord(vault.kind)}${secured}. ${stateWords(vault)}`;
}

function stateWords({ problem, secrets: count, looked_at }: Pick<Vault, "problem" | "secrets" | "looked_at">): string {
  if (problem) return "It does not work.";
  if (!looked_at || count == null) return "It has not been looked at yet.";
  return `It works, and holds ${secrets(count)}.`;
}

/** Where it can be moved; nothing moves out of memory, or against the settings. */
export function otherHome({ kind, chosen }: Pick<Vault, "kind" | "chosen">): VaultKind | null {
  const other = { keychain: "file", file: "keychain", memory: null }[kind] as VaultKind | null;
  return chosen && chosen !== other ? null : other;
}

/** "Moving into a sealed file: 3 of 12 are there." */
export function movingWords({ to, done, of }: NonNullable<Vault["moving"]>): string {
  if (of === 0) return `Opening ${homeWord(to)}; a keychain may wait for you to unlock it.`;
  return `Moving into ${homeWord(to)}: ${done} of ${of} are there.`;
}

/** How the last move went. */
export function movedWords({ to, secrets: count, problem }: NonNullable<Vault["last_move"]>): string {
  if (problem) return `Nothing was moved: ${problem}.`;
  return `Moved ${secrets(count ?? 0)} into ${homeWord(to)}.`;
}

/** Why a new passphrase can't be sent yet; null if it can. */
export function unfit(first: string, again: string): string | null {
  if (new TextEncoder().encode(first).length < 8) return "At least 8 letters or digits.";
  return first === again ? null : "The two are not the same yet.";
}
