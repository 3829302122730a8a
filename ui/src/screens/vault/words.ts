// What is said of moving keys; where they are kept and whether that works, the core says (`says`).
import type { Vault, VaultKind } from "../../api/types.ts";

const homes: Record<VaultKind, string> = { keychain: "the system's keychain", file: "a sealed file", memory: "memory" };

/** "the system's keychain" */
export function homeWord(kind: VaultKind): string {
  return homes[kind];
}

export function secrets(count: number): string {
  return count === 1 ? "1 secret" : `${count} secrets`;
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
