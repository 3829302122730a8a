// What the demo cannot show: nothing there yet, everything full, and all the ways to fail. The built
// page meets a scripted core, under the same content security policy.
import { expect, test, type Page } from "@playwright/test";
import { expectAccessible } from "./axe.ts";
import { scenes } from "./fixtures.ts";
import { stage, STAGE, type Overrides } from "./stage.ts";

async function open(page: Page, hash: string, scene = scenes.usual, overrides: Overrides = {}) {
  const complaints: string[] = [];
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.message));
  await stage(page, scene, overrides);
  await page.goto(`${STAGE}/${hash}`);
  return complaints;
}

test("without accounts the overview is the guide to the first one", async ({ page }) => {
  const complaints = await open(page, "#/", scenes.empty);
  await expect(page.getByRole("heading", { level: 1 })).toContainText("No account yet");
  await expect(page.getByText("export ANTHROPIC_BASE_URL=http://127.0.0.1:8417")).toBeVisible();
  await expect(page.getByText("headgate demo")).toBeVisible();
  await page.getByRole("button", { name: "Add an account" }).click();
  await expect(page.getByLabel("Name")).toBeFocused();
  await expect(page.getByLabel("API key")).toHaveAttribute("type", "password");
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toBeHidden();
  expect(complaints, "nothing breaks the CSP and nothing throws").toEqual([]);
});

for (const colorScheme of ["light", "dark"] as const) {
  for (const [name, hash] of [["overview", "#/"], ["accounts", "#/accounts"], ["form", "#/accounts?add=1"], ["requests", "#/requests"], ["keys", "#/keys"], ["key form", "#/keys?add=1"], ["request", "#/requests?open=req_0999999999997"]]) {
    test(`${name} in ${colorScheme} is accessible when everything is full`, async ({ page }) => {
      await page.setViewportSize({ width: 1440, height: 900 });
      await page.emulateMedia({ colorScheme });
      const complaints = await open(page, hash ?? "", scenes.full);
      await expect(page.getByText("Reading ")).toHaveCount(0);
      await expectAccessible(page);
      expect(complaints).toEqual([]);
    });
  }
}

test("below 900 pixels the lanes are compact rows", async ({ page }) => {
  await page.setViewportSize({ width: 760, height: 800 });
  await open(page, "#/");
  await expect(page.locator(".compact-lane").filter({ hasText: "Work" })).toContainText("back 14:19");
  await expect(page.locator(".lane").first()).toBeHidden();
  await expectAccessible(page);
});

for (const width of [600, 760, 900, 1240]) {
  test(`nothing sticks out of a page of ${width} pixels`, async ({ page }) => {
    await page.setViewportSize({ width, height: 800 });
    for (const hash of ["#/", "#/accounts", "#/keys", "#/requests", "#/requests?open=req_0999999999997"]) {
      await open(page, hash, scenes.full);
      await expect(page.getByText("Reading ")).toHaveCount(0);
      expect(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth), hash).toBeLessThanOrEqual(0);
    }
  });
}

test("a reader who listens gets the board as a table", async ({ page }) => {
  await open(page, "#/");
  const row = page.getByRole("table", { name: "Accounts with their standing and usage windows" }).getByRole("row").filter({ hasText: "Work" });
  await expect(row).toContainText("Cooling");
  await expect(row).toContainText("7 d Opus: 86 %");
});

test("a problem is told at the form in the core's own words, and what was typed stays", async ({ page }) => {
  await open(page, "#/accounts?add=1");
  await page.getByLabel("Name").fill("Work");
  await page.getByLabel("API key").fill("sk-ant-secret");
  await page.getByRole("button", { name: "Add the account" }).click();
  await expect(page.getByRole("alert")).toHaveText("An account named Work exists already. Choose another name.");
  await expect(page.getByLabel("Name")).toHaveValue("Work");
});

test("a key's use stands beside its limits, and what has no price is said", async ({ page }) => {
  await open(page, "#/keys", scenes.full);
  const row = page.locator('tr[data-key="Build server"]');
  await expect(row).toContainText("of 2.0");
  await expect(row).toContainText("$4.10 of $5.00");
  await expect(row).toContainText("3 requests without a known price");
  await expect(page.locator('tr[data-key="Old laptop"]')).toContainText("Expired");
});

test("a screen that cannot be read says why, and can be tried again", async ({ page }) => {
  let broken = true;
  await open(page, "#/accounts", scenes.usual, {
    fail: (path) => broken && path.endsWith("/accounts") ? { status: 500, body: { code: "store_failed", message: "The database is locked. Close other programs that use it." } } : null,
  });
  await expect(page.getByRole("alert")).toContainText("The database is locked.");
  broken = false;
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(page.locator('tr[data-account="Spare"]')).toBeVisible();
});

test("a page without a right to look asks for a fresh link", async ({ page }) => {
  await open(page, "#/", scenes.usual, { token: false });
  await expect(page.getByRole("heading", { name: "This page needs a fresh link." })).toBeVisible();
  await expect(page.getByText("headgate dashboard")).toBeVisible();
  await expectAccessible(page);
});

test("a token that the core does not know any more ends in the same place", async ({ page }) => {
  await open(page, "#/accounts", scenes.usual, { fail: () => ({ status: 401, body: { code: "unauthorized", message: "No." } }) });
  await expect(page.getByRole("heading", { name: "This page needs a fresh link." })).toBeVisible();
  expect(await page.evaluate(() => sessionStorage.length), "the token is forgotten").toBe(0);
});

test("a port that could not be taken stands at the top of every screen", async ({ page }) => {
  const problem = "Port 8417 is taken by node (pid 4711). Stop it, or choose another port in the settings.";
  const scene = { ...scenes.usual, status: { ...scenes.usual.status, proxy: "not_listening" as const, address: null, problem } };
  await open(page, "#/requests", scene);
  await expect(page.getByText("Not listening")).toBeVisible();
  await expect(page.getByRole("alert")).toHaveText(problem);
  await expect(page.getByRole("button", { name: "Pause the proxy" })).toBeHidden();
});

test("older requests load on demand, and words narrow what is loaded", async ({ page }) => {
  await open(page, "#/requests", scenes.full);
  const rows = page.locator("[data-row]");
  await expect(rows).toHaveCount(100);
  await page.getByRole("button", { name: "Load older requests" }).click();
  await expect(rows).toHaveCount(200);
  await page.keyboard.press("/");
  await expect(page.getByLabel("Words in the rows")).toBeFocused();
  await page.keyboard.type("count_tokens");
  await expect(rows).toHaveCount(10);
  await expect(page.getByText("10 matches among the 200 requests loaded.")).toBeVisible();
  expect(page.url()).toContain("q=count_tokens");
});

test("a request says who was considered for it, and why each was passed over", async ({ page }) => {
  await open(page, "#/requests?open=req_0999999999997", scenes.full);
  const why = page.getByRole("region", { name: "Why this account" });
  await expect(why).toContainText("Bound by project shop.");
  await expect(why).toContainText("Slot 2 of the route night points at an account that is gone.");
  await expect(why.getByRole("listitem")).toHaveCount(3);
  await expect(why.getByRole("listitem").nth(1)).toContainText("next · as claude-sonnet-5");
  await expect(why.getByRole("listitem").nth(2)).toContainText("until 14:19");
  await open(page, "#/requests?open=req_0999999999998", scenes.full);
  await expect(page.getByRole("heading", { name: "Tokens" })).toBeVisible();
  await expect(page.getByText("Why this account"), "where no decision is known, nothing is said").toBeHidden();
});
