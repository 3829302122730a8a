// The connection test in the page: what it says before, what it found, and how one gets there. The built page meets
// a scripted core.
import { expect, test, type Page } from "@playwright/test";
import type { Probe } from "../../ui/src/api/types.ts";
import { expectAccessible } from "./axe.ts";
import { scenes } from "./fixtures.ts";
import { stage, STAGE } from "./stage.ts";

const works: Probe = {
  works: true, finding: "works", says: "Work works: claude-opus-5-5 answered after 412 ms.", next: null, told: null,
  url: "https://api.anthropic.com/v1/messages", model: "claude-opus-5-5", status: 200, first_byte_ms: 412,
  http: "HTTP/2", tls: "TLS 1.3", request_id: "req_0999999999997",
};
const refused: Probe = {
  ...works, works: false, finding: "credential_refused", says: "api.anthropic.com does not accept the key of Work.",
  next: "Replace the key, and make sure that it belongs to this address.", told: "authentication_error: invalid x-api-key", status: 401,
};

/** A page on which tests end like this; `added` is what is answered to a new account. */
async function open(page: Page, hash: string, found: Probe | null, added?: unknown) {
  const asked: unknown[] = [];
  await stage(page, scenes.usual, {
    fail: (path, method) => {
      if (method !== "POST") return null;
      if (path.endsWith("/test")) return found ? { status: 200, body: found } : { status: 409, body: { code: "running", message: "Work is being tested: wait for the end of that." } };
      return path === "/api/v1/accounts" && added ? { status: 201, body: added } : null;
    },
  });
  page.on("request", (request) => request.url().endsWith("/test") && asked.push(request.postDataJSON()));
  await page.goto(`${STAGE}/${hash}`);
  return asked;
}

for (const colorScheme of ["light", "dark"] as const) {
  test(`a test says what it found and what to do next, accessibly in ${colorScheme}`, async ({ page }) => {
    await page.emulateMedia({ colorScheme });
    const asked = await open(page, "#/accounts", refused);
    await page.locator('tr[data-account="Work"]').getByRole("button", { name: "Test" }).click();
    const dialog = page.getByRole("dialog", { name: "Test Work" });
    await expect(dialog).toContainText("That costs what one token costs");
    expect(asked, "nothing is asked before somebody says so").toEqual([]);
    await dialog.getByLabel("Model").fill(" claude-haiku-4-5 ");
    await dialog.getByRole("button", { name: "Test the connection" }).click();
    const told = dialog.getByRole("status");
    await expect(told).toContainText("api.anthropic.com does not accept the key of Work.");
    await expect(told).toContainText("Replace the key");
    await expect(told).toContainText("authentication_error: invalid x-api-key");
    await expect(told).toContainText("claude-opus-5-5, status 401, first byte after 412 ms, HTTP/2, TLS 1.3.");
    expect(asked).toEqual([{ model: "claude-haiku-4-5" }]);
    await expectAccessible(page);
  });
}

test("one that works leads to its request", async ({ page }) => {
  const asked = await open(page, "#/accounts?test=1", works);
  await page.getByRole("button", { name: "Test the connection" }).click();
  await expect(page.getByRole("status").filter({ hasText: "Work works" })).toBeVisible();
  expect(asked).toEqual([{ model: null }]);
  await page.getByRole("link", { name: "See the request" }).click();
  await expect(page).toHaveURL(/#\/requests\?open=req_0999999999997$/);
  await expect(page.getByRole("dialog")).toBeHidden();
});

test("one that could not be made says why, in the core's own words, and closing leaves the address", async ({ page }) => {
  await open(page, "#/accounts?test=1", null);
  await page.getByRole("button", { name: "Test the connection" }).click();
  await expect(page.getByRole("alert")).toHaveText("Work is being tested: wait for the end of that.");
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toBeHidden();
  await expect(page).toHaveURL(/#\/accounts$/);
});

test("an account can be tested as soon as it is added", async ({ page }) => {
  await open(page, "#/accounts?add=1", works, scenes.usual.overview.accounts[0]);
  await page.getByLabel("Name").fill("Work");
  await page.getByLabel("API key").fill("sk-ant-state");
  await page.getByRole("button", { name: "Add it and open its test" }).click();
  await expect(page.getByRole("dialog", { name: "Test Work" })).toBeVisible();
  await page.getByRole("button", { name: "Test the connection" }).click();
  await expect(page.getByText("Work works:")).toBeVisible();
});

test("Enter adds an account and tests nothing", async ({ page }) => {
  await open(page, "#/accounts?add=1", works, scenes.usual.overview.accounts[0]);
  await page.getByLabel("API key").fill("sk-ant-state");
  await page.getByLabel("Name").fill("Work");
  await page.getByLabel("Name").press("Enter");
  await expect(page).toHaveURL(/#\/accounts$/);
  await expect(page.getByRole("dialog")).toBeHidden();
});
