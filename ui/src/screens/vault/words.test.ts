import { expect, test } from "vitest";
import { movedWords, movingWords, otherHome, unfit } from "./words.ts";

test("it moves to the other home, but not out of memory and not against the settings", () => {
  expect(otherHome({ kind: "keychain", chosen: null })).toBe("file");
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
