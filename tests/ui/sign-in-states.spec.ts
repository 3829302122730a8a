// Signing in as the page shows it, in the states that no real provider can be brought into on time.
import { expect, test, type Page } from "@playwright/test";
import type { SignInView } from "../../ui/src/api/types.ts";
import { expectAccessible } from "./axe.ts";
import { scenes } from "./fixtures.ts";
import { byDevice, signIn, signingIn } from "./sign-in-fixtures.ts";
import { stage, STAGE } from "./stage.ts";

async function begin(page: Page, as: SignInView) {
  let now = as;
  await stage(page, scenes.full, { fail: signingIn(() => now) });
  await page.goto(`${STAGE}/#/accounts?sign-in=1`);
  await page.getByLabel("Name").fill("Company");
  await page.getByLabel("Issuer").fill("https://id.example.com");
  await page.getByLabel("Client id").fill("headgate");
  await page.getByRole("dialog").getByRole("button", { name: "Sign in" }).click();
  return (next: SignInView) => { now = next; };
}

for (const colorScheme of ["light", "dark"] as const) {
  for (const look of [signIn({}), signIn({ way: "paste" }), byDevice, signIn({ state: "failed", message: "id.example.com says no (access_denied); begin again" })]) {
    test(`a sign-in by ${look.way} that is ${look.state} is accessible in ${colorScheme}`, async ({ page }) => {
      await page.emulateMedia({ colorScheme });
      await begin(page, look);
      await expect(page.getByText(/Open until|Nothing has changed/)).toBeVisible();
      await expectAccessible(page);
      await expect(page.locator("body"), "the state is in the link alone").not.toContainText("a-state-that-nobody-should-read");
    });
  }
}

test("a device's code is shown large, with the page to enter it on", async ({ page }) => {
  await begin(page, byDevice);
  await expect(page.getByText("WDJB-MJHT")).toBeVisible();
  await expect(page.getByRole("link", { name: "Open the page with the code" })).toHaveAttribute("href", byDevice.url ?? "");
  await expect(page.getByRole("link", { name: "Open the page with the code" }), "Enter opens it").toBeFocused();
});

for (const width of [390, 600, 900]) {
  test(`nothing sticks out of the form on a page of ${width} pixels`, async ({ page }) => {
    await page.setViewportSize({ width, height: 800 });
    await stage(page, scenes.full);
    await page.goto(`${STAGE}/#/accounts?sign-in=1`);
    await expect(page.getByLabel("Issuer")).toBeVisible();
    const beyond = await page.getByRole("dialog").evaluate((dialog) => dialog.scrollWidth - dialog.clientWidth);
    expect(beyond).toBeLessThanOrEqual(0);
    await expectAccessible(page);
  });
}

test("what was typed is still there after a sign-in that failed", async ({ page }) => {
  await begin(page, signIn({ state: "expired", message: "nobody answered in time; begin again" }));
  await expect(page.getByRole("alert")).toHaveText("Nobody answered in time; begin again");
  await page.getByRole("button", { name: "Look at it and try again" }).click();
  await expect(page.getByLabel("Sign in with")).toBeFocused();
  await expect(page.getByLabel("Issuer")).toHaveValue("https://id.example.com");
  await expect(page.getByLabel("Client id")).toHaveValue("headgate");
});

test("a way back into the window was offered where there is none", async ({ page }) => {
  let hasWindow = false;
  await stage(page, scenes.full, {
    fail: (path) => (path === "/api/v1/status" ? { status: 200, body: { ...scenes.full.status, has_window: hasWindow } } : null),
  });
  const links = page.getByLabel("How").getByRole("option", { name: "By a browser, back into the window" });
  await page.goto(`${STAGE}/#/accounts?sign-in=1`);
  await expect(page.getByLabel("How")).toHaveValue("paste");
  await expect(links).toHaveCount(0);
  hasWindow = true;
  await page.reload();
  await expect(links).toHaveCount(1);
});

test("only what the chosen way to sign in asks for is asked", async ({ page }) => {
  await stage(page, scenes.full);
  await page.goto(`${STAGE}/#/accounts?sign-in=1`);
  const dialog = page.getByRole("dialog");
  await expect(dialog.getByLabel("Sign in with")).toBeFocused();
  await expect(dialog.getByLabel("Issuer")).toBeVisible();
  await expect(dialog).toContainText("Register a public (native) client");
  await dialog.getByLabel("Sign in with").selectOption("entra");
  await expect(dialog.getByLabel("Issuer")).toHaveCount(0);
  await expect(dialog.getByLabel("Tenant")).toHaveAttribute("placeholder", "organizations");
  await expect(dialog).toContainText("This build brings a client of its own");
  await dialog.getByLabel("Sign in with").selectOption("keys");
  await expect(dialog.getByLabel("Client id")).toHaveCount(0);
});

test("an account that needs it is signed in to again on its own terms", async ({ page }) => {
  await stage(page, scenes.full);
  await page.goto(`${STAGE}/#/accounts`);
  const row = page.locator('tr[data-account="Company gateway"]');
  await expect(row).toContainText("Signed in with Your own sign-in (OpenID Connect)");
  await row.getByRole("button", { name: "Sign in again" }).click();
  const dialog = page.getByRole("dialog", { name: "Sign in to Company gateway again" });
  await expect(dialog.getByLabel("Issuer")).toHaveValue("https://id.example.com");
  await expect(dialog.getByLabel("Client id")).toHaveValue("headgate");
  await expect(dialog.getByLabel("Name")).toHaveCount(0);
  await page.keyboard.press("Escape");
  await expect(row.getByRole("button", { name: "Sign in again" }), "focus returns").toBeFocused();
});

test("an answer that a link brought asks on whatever screen, and the safe choice has the focus", async ({ page }) => {
  const asked: string[] = [];
  const look = signIn({ way: "deep_link", state: "answered", name: null, account: 8 });
  const answered = signingIn(() => look);
  await stage(page, scenes.full, {
    fail: (path, method) => {
      if (method !== "GET") asked.push(`${method} ${path}`);
      return path.endsWith("/finish") ? { status: 409, body: { code: "sign_in_over", message: "this sign-in is over; begin a new one" } } : answered(path, method);
    },
  });
  await page.goto(`${STAGE}/#/keys`);
  const dialog = page.getByRole("dialog", { name: "Finish signing in to Company gateway?" });
  await expect(dialog.getByRole("button", { name: "Refuse" })).toBeFocused();
  await expectAccessible(page);
  expect(asked, "nothing happens before somebody says so").toEqual([]);
  await dialog.getByRole("button", { name: "Finish the sign-in" }).click();
  await expect(dialog.getByRole("alert")).toContainText("this sign-in is over");
  expect(asked).toEqual(["POST /api/v1/sign-ins/4a1f/finish"]);
});
