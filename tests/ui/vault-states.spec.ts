// Where keys are kept as the page shows it, in the states that a real keychain can't be brought into on time.
import { expect, test, type Page } from "@playwright/test";
import type { Vault } from "../../ui/src/api/types.ts";
import { expectAccessible } from "./axe.ts";
import { scenes, status, vault } from "./fixtures.ts";
import { stage, STAGE } from "./stage.ts";

const ORPHANED = "No account owns 1 secret in the keychain: `headgate vault clean` shows what there is, and deletes it if you say so.";
const orphaned: Vault = { ...vault, orphans: [{ name: "account/4", account: "Night shift" }], troubles: [ORPHANED] };

/** The vault as `look` tells it; what the page has done is noted. */
async function open(page: Page, look: () => Vault, done: (path: string) => void = () => {}) {
  await stage(page, scenes.full, {
    fail: (path, method) => {
      const what = path.replace("/api/v1/", "");
      if (what === "status") return { status: 200, body: { ...status, vault: look().kind, vault_troubles: look().troubles } };
      if (!what.startsWith("vault")) return null;
      if (method === "POST") done(what);
      return { status: 200, body: look() };
    },
  });
  await page.goto(`${STAGE}/#/jobs`);
}

const dialog = (page: Page) => page.getByRole("dialog");

test("the foot leads to where keys are kept, and to trying it", async ({ page }) => {
  const done: string[] = [];
  await open(page, () => vault, (path) => done.push(path));
  await page.getByRole("button", { name: "Keys are in the system's keychain" }).click();
  await expect(dialog(page)).toContainText("It works, and holds 3 secrets.");
  await expect(dialog(page).getByRole("button", { name: "Clean up" }), "there is nothing to clean").toHaveCount(0);
  await dialog(page).getByRole("button", { name: "Try it now" }).click();
  await expect.poll(() => done).toEqual(["vault/check"]);
});

test("how many secrets there were hours ago stood there as if it were of now", async ({ page }) => {
  await open(page, () => vault);
  await page.getByRole("button", { name: "Keys are in the system's keychain" }).click();
  await expect(dialog(page)).toContainText("holds 3 secrets.Looked at 07:41.");
});

test("a secret of nobody is told above every screen, and deleted only after a yes", async ({ page }) => {
  const done: string[] = [];
  let now = orphaned;
  await open(page, () => now, (path) => { done.push(path); now = vault; });
  await expect(page.getByRole("alert")).toContainText("No account owns 1 secret");
  await page.getByRole("button", { name: "Look at where keys are kept" }).click();
  await dialog(page).getByRole("button", { name: "Clean up" }).click();
  await expect(dialog(page)).toContainText("account/4, of Night shift");
  await expect(dialog(page).getByRole("button", { name: "Keep everything" }), "Enter keeps them").toBeFocused();
  expect(done).toEqual([]);
  await dialog(page).getByRole("button", { name: "Delete them" }).click();
  await expect(dialog(page)).toContainText("holds 3 secrets");
  await expect(page.getByRole("alert")).toHaveCount(0);
  expect(done).toEqual(["vault/clean"]);
});

test("a move is asked about, takes a passphrase, and tells how far it is", async ({ page }) => {
  let now: Vault = vault;
  await open(page, () => now, () => { now = { ...vault, moving: { to: "file", done: 1, of: 3 } }; });
  await page.getByRole("button", { name: "Keys are in the system's keychain" }).click();
  await dialog(page).getByRole("button", { name: "Move to a sealed file" }).click();
  await dialog(page).getByLabel("Passphrase (may be left empty)").fill("correct horse");
  await expect(dialog(page).getByRole("button", { name: "Move them" }), "it has to be typed twice").toBeDisabled();
  await dialog(page).getByLabel("The same again").fill("correct horse");
  await dialog(page).getByRole("button", { name: "Move them" }).click();
  await expect(dialog(page).getByRole("status")).toHaveText("Moving into a sealed file: 1 of 3 are there.");
  await expect(dialog(page).getByRole("button", { name: "Move to a sealed file" })).toBeDisabled();
});

for (const colorScheme of ["light", "dark"] as const) {
  for (const [name, look, press] of [
    ["orphans", orphaned, "Clean up"],
    ["a home that does not work", { ...vault, says: "Keys are kept in the keychain. It does not work.", problem: "the keychain is locked; unlock it and try again", secrets: null, troubles: ["The place where keys are kept does not work: the keychain is locked; unlock it and try again."] }, "Try it now"],
    ["a passphrase", { ...vault, says: "Keys are kept in the sealed file, sealed with a passphrase. It works, and holds 3 secrets.", kind: "file", secured: "passphrase", last_move: { to: "file", at: status.started_at, secrets: 3, problem: null } }, "Passphrase"],
  ] as [string, Vault, string][]) {
    test(`${name} in ${colorScheme} is accessible and sticks out of no page`, async ({ page }) => {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width: 390, height: 800 });
      await open(page, () => look);
      await page.getByRole("button", { name: /^Keys are in/ }).click();
      await expectAccessible(page);
      await dialog(page).getByRole("button", { name: press }).click();
      await expectAccessible(page);
      expect(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)).toBeLessThanOrEqual(0);
    });
  }
}
