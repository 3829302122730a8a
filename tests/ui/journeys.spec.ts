// A newcomer's way through the page, against the real core with its sandbox. One demo serves all
// journeys, and they keep one tab: a one-time link opens one.
import { expect, test, type Page } from "@playwright/test";
import { expectAccessible } from "./axe.ts";
import { startDemo, type Demo } from "./demo.ts";

test.describe.configure({ mode: "serial" });

let demo: Demo;
let page: Page;

test.beforeAll(async ({ browser }) => {
  demo = await startDemo();
  page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
});

test.afterAll(async () => {
  await page?.close();
  await demo?.stop();
});

test("the one-time link opens the page and leaves no ticket behind", async () => {
  await page.goto(demo.link);
  await expect(page.getByRole("heading", { level: 1 })).not.toBeEmpty();
  expect(page.url()).not.toContain("ticket");
  await expect(page.getByRole("banner").getByText("Running")).toBeVisible();
  await expect(page.getByRole("banner")).toContainText(demo.address.replace("http://", ""));
});

test("a second tab without a link is told how to get one", async ({ browser }) => {
  const stranger = await browser.newPage();
  await stranger.goto(demo.address);
  await expect(stranger.getByRole("heading", { name: "This page needs a fresh link." })).toBeVisible();
  await stranger.goto(demo.link);
  await expect(stranger.getByRole("heading", { name: "This page needs a fresh link." }), "a ticket opens one tab").toBeVisible();
  await stranger.close();
});

test("requests arrive while one looks, and one of them is rescued", async () => {
  const flow = page.getByRole("table", { name: "Last requests" });
  const newest = flow.locator("[data-row]").first();
  const before = await newest.getAttribute("data-row");
  await expect.poll(() => newest.getAttribute("data-row"), { timeout: 30_000 }).not.toBe(before);
  await expect(page.locator(".lane")).toHaveCount(3);
  await expect(flow.getByText("Rescued").first()).toBeVisible({ timeout: 45_000 });
  await expect(page.locator(".lane[data-standing=cooling]").first()).toBeVisible({ timeout: 45_000 });
});

test("an opened request shows its attempts, and closing returns to its row", async () => {
  await page.getByRole("link", { name: "All requests" }).click();
  const rescued = page.getByRole("row").filter({ hasText: "Rescued" }).first();
  await rescued.click();
  const panel = page.getByRole("complementary", { name: "The request opened" });
  await expect(panel.getByRole("heading", { name: "Rescued" })).toBeVisible();
  const attempts = panel.locator("[data-verdict]");
  expect(await attempts.count(), "a rescue takes more than one attempt").toBeGreaterThan(1);
  await expect(attempts.last()).toHaveAttribute("data-verdict", "fine");
  await expect(panel.getByText(/took over and answered in full/)).toBeVisible();
  const id = new URLSearchParams(page.url().split("?")[1]).get("open");
  await expectAccessible(page);
  await page.keyboard.press("Escape");
  await expect(panel).toBeHidden();
  await expect(page.locator(`[data-row="${id}"]`)).toBeFocused();
});

test("the list narrows to an account and an ending, and the address holds it", async () => {
  await page.getByLabel("Ending").selectOption("complete");
  await expect(page.locator("[data-ending]").first()).toBeVisible();
  await expect(page.locator('[data-ending]:not([data-ending="complete"])')).toHaveCount(0);
  expect(page.url()).toContain("ending=complete");
  await page.reload();
  await expect(page.getByLabel("Ending")).toHaveValue("complete");
  await page.getByRole("link", { name: "Show all" }).click();
  await expect(page.getByLabel("Ending")).toHaveValue("");
});

test("the page is walked by keyboard alone", async () => {
  await page.keyboard.press("g");
  await page.keyboard.press("a");
  await expect(page.getByRole("heading", { name: "Accounts", level: 1 })).toBeVisible();
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await expect(page.locator("[data-row]").nth(1)).toBeFocused();
  await page.keyboard.press("k");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("dialog")).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toBeHidden();
  await expect(page.locator("[data-row]").first(), "focus returns to the row").toBeFocused();
  await page.keyboard.press("?");
  await expect(page.getByRole("dialog", { name: "Shortcuts" })).toBeVisible();
  await page.keyboard.press("Escape");
  await page.keyboard.press("/");
  await expect(page.getByLabel("Words in the rows")).toBeFocused();
  await page.keyboard.press("Escape");
  await page.keyboard.press("g");
  await page.keyboard.press("r");
  await page.keyboard.press("j");
  const row = page.locator("[data-row]:focus");
  const id = await row.getAttribute("data-row");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("complementary")).toBeVisible();
  expect(page.url()).toContain(`open=${id}`);
  await page.keyboard.press("Escape");
  await page.keyboard.press("g");
  await page.keyboard.press("o");
  await expect(page.getByRole("table", { name: "Last requests" })).toBeVisible();
});

const accountRow = (name: string) => page.locator(`tr[data-account="${name}"]`);

test("an account is added, renamed, paused with a reason, resumed and removed", async () => {
  await page.goto(`${demo.address}/#/accounts`);
  await page.getByRole("button", { name: "Add an account" }).click();
  await page.getByLabel("Name").fill("Second desk");
  await page.getByLabel("API key").fill("sk-ant-journey");
  await page.getByLabel("Priority").fill("900");
  await page.getByRole("button", { name: "Add the account" }).click();
  await expect(accountRow("Second desk")).toContainText("Ready");
  await expect(page.locator("body"), "the key is never shown").not.toContainText("sk-ant-journey");

  await accountRow("Second desk").getByRole("button", { name: "Change" }).click();
  await expect(page.getByLabel("Replace the key")).toHaveValue("");
  await page.getByLabel("Name").fill("Third desk");
  await page.getByRole("button", { name: "Save changes" }).click();
  await expect(accountRow("Third desk")).toBeVisible();
  await expect(accountRow("Second desk")).toHaveCount(0);

  await accountRow("Third desk").getByRole("button", { name: "Change" }).click();
  await page.getByLabel("Open its usage windows").selectOption("at");
  await page.getByRole("checkbox", { name: "Wed" }).uncheck();
  await page.getByLabel("Time").fill("06:30");
  await page.getByLabel("Keep prompts warm").fill("2");
  await page.getByRole("button", { name: "Save changes" }).click();
  await expect(accountRow("Third desk")).toContainText("Windows are opened Mon, Tue, Thu, Fri at 06:30, next");
  await expect(accountRow("Third desk")).toContainText("Prompts are kept warm 2 times");
  await accountRow("Third desk").getByRole("button", { name: "Change" }).click();
  await page.getByLabel("Open its usage windows").selectOption("off");
  await page.getByLabel("Keep prompts warm").fill("0");
  await page.getByRole("button", { name: "Save changes" }).click();
  await expect(accountRow("Third desk")).not.toContainText("Windows are opened");

  await accountRow("Third desk").getByRole("button", { name: "Pause" }).click();
  await page.getByLabel("Reason").fill("Saving it for tonight");
  await page.getByRole("button", { name: "Pause the account" }).click();
  await expect(accountRow("Third desk")).toContainText("Paused");
  await expect(accountRow("Third desk")).toContainText("Saving it for tonight");
  await expectAccessible(page);

  await accountRow("Third desk").getByRole("button", { name: "Resume" }).click();
  await expect(accountRow("Third desk")).toContainText("Ready");

  await accountRow("Third desk").getByRole("button", { name: "Remove" }).click();
  await expect(page.getByRole("dialog")).toContainText("Its key is deleted");
  await page.getByRole("button", { name: "Keep it" }).click();
  await expect(accountRow("Third desk")).toBeVisible();
  await accountRow("Third desk").getByRole("button", { name: "Remove" }).click();
  await page.getByRole("button", { name: "Remove the account" }).click();
  await expect(accountRow("Third desk")).toHaveCount(0);
});

test("a window is opened from the form, or the form says why not", async () => {
  const name = (await page.locator("tr[data-account]").first().getAttribute("data-account")) ?? "";
  await accountRow(name).getByRole("button", { name: "Change" }).click();
  await page.getByRole("button", { name: "Start one now" }).click();
  await expect(page.getByRole("dialog").getByRole("status")).toHaveText(/A window was opened|window is open already|is kept back/);
  await page.getByRole("button", { name: "Cancel" }).click();
});

test("an account's connection is tested, and the test stands among the requests", async () => {
  await page.goto(`${demo.address}/#/accounts`);
  await accountRow("Spare").getByRole("button", { name: "Test" }).click();
  await page.getByRole("button", { name: "Test the connection" }).click();
  await expect(page.getByRole("dialog")).toContainText("Spare works: claude-opus-5-5 answered after");
  await page.getByRole("link", { name: "See the request" }).click();
  await expect(page.getByRole("complementary")).toContainText("connection test");
  await page.goto(`${demo.address}/#/accounts`);
});

test("bad input is answered at the form, and nothing is lost", async () => {
  const taken = await page.locator("tr[data-account]").first().getAttribute("data-account");
  await page.getByRole("button", { name: "Add an account" }).click();
  await page.getByLabel("Name").fill(taken ?? "");
  await page.getByLabel("API key").fill("sk-ant-journey");
  await page.getByRole("button", { name: "Add the account" }).click();
  await expect(page.getByRole("dialog").getByRole("alert")).not.toBeEmpty();
  await page.getByLabel("Name").fill("Fourth desk");
  await page.getByLabel("Base URL").fill("not an address");
  await page.getByRole("button", { name: "Add the account" }).click();
  await expect(page.getByRole("dialog").getByRole("alert")).not.toBeEmpty();
  await expect(page.getByLabel("Name")).toHaveValue("Fourth desk");
  await page.getByRole("button", { name: "Cancel" }).click();
  await expect(accountRow("Fourth desk")).toHaveCount(0);
});

test("a key is made, its secret shown once, and it lets a program in until it is revoked", async ({ request }) => {
  const row = page.locator('tr[data-key="Laptop"]');
  const asks = async (secret: string) => {
    const headers = { authorization: `Bearer ${secret}` };
    const data = { model: "claude-haiku-4-5", max_tokens: 8, messages: [{ role: "user", content: "hi" }] };
    return (await request.post(`${demo.address}/v1/messages`, { headers, data })).status();
  };
  await page.keyboard.press("g");
  await page.keyboard.press("k");
  await expect(page.getByText("No key yet.")).toBeVisible();
  await page.getByRole("button", { name: "Make a key" }).click();
  await page.getByLabel("Name").fill("Laptop");
  await page.getByRole("textbox", { name: "Models" }).fill("claude-haiku-*");
  await page.getByLabel("Tokens a day").fill("1000000");
  await page.getByRole("button", { name: "Make the key" }).click();

  const shown = page.getByRole("dialog", { name: "The secret of Laptop" });
  const first = await shown.locator("code").first().innerText();
  expect(first).toMatch(/^hg_[0-9A-Za-z]{43}$/);
  await expectAccessible(page);
  await shown.getByRole("button", { name: "I have copied it" }).click();
  await expect(row).toContainText(first.slice(0, 7));
  await page.reload();
  await expect(row).toContainText("claude-haiku-*");
  await expect(page.locator("body"), "the secret is not shown again").not.toContainText(first.slice(7));
  expect(await asks(first)).not.toBe(401);

  await row.getByRole("button", { name: "New secret" }).click();
  await page.getByRole("button", { name: "Make a new secret" }).click();
  const second = await shown.locator("code").first().innerText();
  await shown.getByRole("button", { name: "I have copied it" }).click();
  expect(await asks(first), "the old secret is void at once").toBe(401);
  expect(await asks(second)).not.toBe(401);

  await row.getByRole("button", { name: "Switch off" }).click();
  await expect(row).toContainText("Switched off");
  expect(await asks(second)).toBe(401);
  await row.getByRole("button", { name: "Revoke" }).click();
  await page.getByRole("button", { name: "Revoke the key" }).click();
  await expect(page.getByText("No key yet.")).toBeVisible();
});

test("a job is done on demand, and how it went is said", async () => {
  await page.keyboard.press("g");
  await page.keyboard.press("j");
  const row = page.locator('tr[data-job="integrity"]');
  await expect(row).toContainText("Never");
  await row.getByRole("button", { name: "Run now: Integrity" }).click();
  await expect(row).toContainText("Nothing is wrong with the database.");
  await expect(page.locator('tr[data-job="retention"]')).toContainText("Off");
  await expectAccessible(page);
});

test("the proxy is paused and resumed from the head of the page", async () => {
  await page.getByRole("button", { name: "Pause the proxy" }).click();
  await expect(page.getByRole("banner").getByText("Paused", { exact: true })).toBeVisible();
  await page.getByRole("button", { name: "Resume the proxy" }).click();
  await expect(page.getByRole("banner").getByText("Running", { exact: true })).toBeVisible();
});

/** 0 to 255, however the browser writes the colour. */
function paperBrightness(on: Page): Promise<number> {
  return on.evaluate(() => {
    const brush = document.createElement("canvas").getContext("2d") as CanvasRenderingContext2D;
    brush.fillStyle = getComputedStyle(document.body).backgroundColor;
    brush.fillRect(0, 0, 1, 1);
    return brush.getImageData(0, 0, 1, 1).data[1] ?? 0;
  });
}

for (const colorScheme of ["light", "dark"] as const) {
  test(`every screen is accessible in ${colorScheme}`, async () => {
    await page.emulateMedia({ colorScheme });
    expect(await paperBrightness(page) > 128).toBe(colorScheme === "light");
    for (const screen of ["", "accounts", "routing?explain=1&model=opus", "requests", "keys", "profiles", "jobs"]) {
      await page.goto(`${demo.address}/#/${screen}`);
      await expect(page.getByText("Reading ")).toHaveCount(0);
      await expectAccessible(page);
    }
  });
}

test("a core that stops is noticed, and said", async () => {
  await demo.stop();
  await expect(page.getByText("Connection lost.")).toBeVisible();
});
