import { expect, test } from "vitest";
import type { Vault } from "../../api/types.ts";
import { movedWords, movingWords, otherHome, unfit, vaultWords } from "./words.ts";

const vault: Vault = { kind: "keychain", secured: "system", looked_at: "2026-11-26T11:41:20Z", secrets: 3, orphans: [], missing: [], can_clean_left: false, troubles: [] };

test("where keys are kept is one sentence, and whether that works another", () => {
  expect(vaultWords(vault)).toBe("Keys are kept in the system's keychain. It works, and holds 3 secrets.");
  expect(vaultWords({ ...vault, kind: "file", secured: "passphrase", secrets: 1 })).toBe("Keys are kept in a sealed file, sealed with a passphrase. It works, and holds 1 secret.");
  expect(vaultWords({ ...vault, problem: "the keychain is locked; unlock it", secrets: null })).toMatch(/It does not work\.$/);
  expect(vaultWords({ ...vault, looked_at: null, secrets: null }), "unknown is not zero").toMatch(/not been looked at yet\.$/);
});

test("it moves to the other home, but not out of memory and not against the settings", () => {
  expect(otherHome(vault)).toBe("file");
  expect(otherHome({ kind: "file", chosen: null })).toBe("keychain");
  expect(otherHome({ kind: "file", chosen: "file" })).toBeNull();
  expect(otherHome({ kind: "memory" })).toBeNull();
});

test("a move is told while it goes on and when it is over", () => {
  expect(movingWords({ to: "file", done: 3, of: 12 })).toBe("Moving into a sealed file: 3 of 12 are there.");
  expect(movingWords({ to: "keychain", done: 0, of: 0 })).toContain("unlock");
  expect(movedWords({ to: "file", at: "", secrets: 12 })).toBe("Moved 12 secrets into a sealed file.");
  expect(movedWords({ to: "keychain", at: "", problem: "the keychain is locked; unlock it" })).toBe("Nothing was moved: the keychain is locked; unlock it.");
});

test("a new passphrase is long enough and typed twice alike", () => {
  expect(unfit("short", "short")).toMatch(/8/);
  expect(unfit("correct horse", "correct house")).toMatch(/same/);
  expect(unfit("correct horse", "correct horse")).toBeNull();
});
