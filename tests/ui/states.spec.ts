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
  for (const [name, hash] of [["overview", "#/"], ["accounts", "#/accounts"], ["form", "#/accounts?add=1"], ["routing", "#/routing?explain=1&model=opus&role=main"], ["pool form", "#/routing?add=pool"], ["route form", "#/routing?add=route"], ["binding form", "#/routing?add=binding"], ["requests", "#/requests"], ["keys", "#/keys"], ["key form", "#/keys?add=1"], ["profiles", "#/profiles"], ["jobs", "#/jobs"], ["request", "#/requests?open=req_0999999999997"]]) {
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

for (const width of [390, 420, 600, 760, 900, 1240]) {
  test(`nothing sticks out of a page of ${width} pixels`, async ({ page }) => {
    await page.setViewportSize({ width, height: 800 });
    for (const hash of ["#/", "#/accounts", "#/routing?explain=1", "#/routing?add=route", "#/keys", "#/profiles", "#/jobs", "#/requests", "#/requests?open=req_0999999999997"]) {
      await open(page, hash, scenes.full);
      await expect(page.getByText("Reading ")).toHaveCount(0);
      expect(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth), hash).toBeLessThanOrEqual(0);
    }
  });
}

/** How far what is in the topmost dialog, or it itself, sticks out to a side. */
function beyond(page: Page) {
  return page.getByRole("dialog").last().evaluate((dialog) => {
    const { left, right } = dialog.getBoundingClientRect();
    const inside = [...dialog.querySelectorAll("*")].map((element) => element.getBoundingClientRect()).filter((box) => box.width > 1);
    const most = Math.max(0, ...inside.map((box) => Math.max(box.right - right, left - box.left)));
    return Math.max(most, dialog.scrollWidth - dialog.clientWidth, right - window.innerWidth, -left);
  });
}

test("nothing sticks out of a dialog on a page of 390 pixels", async ({ page }) => {
  await page.setViewportSize({ width: 390, height: 800 });
  for (const hash of ["#/accounts?add=1", "#/accounts?sign-in=1", "#/routing?add=pool", "#/routing?add=route", "#/routing?add=binding", "#/keys?add=1"]) {
    await open(page, hash, scenes.full);
    await expect(page.getByRole("dialog")).toBeVisible();
    expect(await beyond(page), hash).toBeLessThanOrEqual(0);
  }
  const acts: [string, (string | RegExp)[]][] = [
    ["#/accounts", ["Change", "Keep back", "Test", "Pause", "Remove"]],
    ["#/keys", ["Change", "New secret", "Revoke"]],
    ["#/routing", [/^Change pool/, /^Dissolve/, /^Change route/, /^Remove route/, /^Change the binding/]],
    ["#/profiles", ["Add a profile", /^Rename/, /^Forget/]],
    ["#/jobs", [/^Keys are in/, "Shortcuts"]],
  ];
  for (const [hash, buttons] of acts) {
    for (const act of buttons) {
      await page.goto("about:blank");
      await open(page, hash, scenes.full);
      await page.getByRole("button", { name: act }).first().click();
      await expect(page.getByRole("dialog")).toBeVisible();
      expect(await beyond(page), `${hash} ${String(act)}`).toBeLessThanOrEqual(0);
      expect(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth), `${hash} ${String(act)}`).toBeLessThanOrEqual(0);
    }
  }
});

test("on a page as narrow as a telephone a row of a table is a block that says its columns, and a row still to who listens", async ({ page }) => {
  await page.setViewportSize({ width: 420, height: 800 });
  await open(page, "#/accounts", scenes.full);
  const row = page.getByRole("row").filter({ hasText: "Night shift" });
  const cells = [row.getByRole("rowheader"), row.getByRole("cell", { name: /^Priority/ }), row.getByRole("cell", { name: /^Standing/ }), row.getByRole("cell", { name: /Keep back/ })];
  const tops = await Promise.all(cells.map((cell) => cell.evaluate((element) => element.getBoundingClientRect().top)));
  expect(tops, "one beneath the other").toEqual([...new Set(tops)].sort((a, b) => a - b));
  await expectAccessible(page);
});

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

test("a job says how its last run went and when the next one is", async ({ page }) => {
  await open(page, "#/jobs", scenes.full);
  const row = (id: string) => page.locator(`tr[data-job="${id}"]`);
  await expect(row("integrity")).toContainText("found trouble, 3\u202fmin");
  await expect(row("integrity")).toContainText("The database is damaged: stop Headgate");
  await expect(row("integrity")).toContainText("every 7 days");
  await expect(row("models")).toContainText("Running since 12:41");
  await expect(row("models").getByRole("button", { name: "Run now: Models" })).toBeDisabled();
  await expect(row("retention")).toContainText("interrupted");
});

test("a job that waits for news says so, and one that is off says why and has no button", async ({ page }) => {
  await open(page, "#/jobs", scenes.usual);
  const row = (id: string) => page.locator(`tr[data-job="${id}"]`);
  await expect(row("integrity")).toContainText("Never");
  await expect(row("models")).toContainText("When it is wanted");
  await expect(row("models")).toContainText(/Last trouble: .*, found trouble: Asked 1 account, and 1 did not tell\. work: it answered 401\./);
  await expect(row("integrity")).toContainText("at most 1\u202fh");
  await expect(row("retention")).toContainText("Off");
  await expect(row("retention")).toContainText("limits.keep_days");
  await expect(row("retention").getByRole("button")).toHaveCount(0);
});

test("a job that is not started says why, in the core's own words", async ({ page }) => {
  const message = "Integrity has been running since 12:40:02. It is not started twice.";
  await open(page, "#/jobs", scenes.usual, { fail: (path) => path.endsWith("/run") ? { status: 409, body: { code: "running", message } } : null });
  await page.getByRole("button", { name: "Run now: Integrity" }).click();
  await expect(page.getByRole("alert")).toHaveText(message);
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

test("without a plan the parts of it say what they are for", async ({ page }) => {
  const complaints = await open(page, "#/routing", scenes.empty);
  await expect(page.locator('tr[data-pool="main"]')).toContainText("Nobody");
  await expect(page.getByText("No route.")).toBeVisible();
  await expect(page.getByText("Nothing is bound.")).toBeVisible();
  await expect(page.getByRole("region", { name: "The answer" }), "nothing was asked").toBeHidden();
  expect(complaints).toEqual([]);
});

test("a route that leads nowhere, one that is never taken and a binding to nothing say so, and why", async ({ page }) => {
  await open(page, "#/routing", scenes.full);
  const route = (name: string) => page.locator(`tr[data-route="${name}"]`);
  await expect(route("Night")).toContainText("Leads nowhere: Night shift, alone in pool Nights, is paused and account 9 is gone. Its requests are refused.");
  await expect(route("Night, once more")).toContainText("Never taken: Night is for the same models and is older.");
  await expect(route("Long chain for the platform team")).toContainText("Night shift is paused.");
  await expect(route("Long chain for the platform team")).not.toContainText("Leads nowhere");
  await expect(route("Resting")).toContainText("Switched off");
  const bindings = page.getByRole("table", { name: "Bindings" }).getByRole("row");
  await expect(bindings.nth(1)).toContainText("key Build server");
  await expect(bindings.nth(1)).toContainText("Its pool is gone: what is bound so is refused.");
  await expect(page.locator('tr[data-pool="Left over from the old gateway"]')).toContainText("Nothing leads here");
});

test("a route's slots are kept through a refusal of the core, in the order they were brought into", async ({ page }) => {
  await open(page, "#/routing?add=route", scenes.full);
  await page.getByRole("textbox", { name: "Name" }).fill("Mine");
  await page.getByRole("combobox", { name: "For" }).fill("opus");
  await page.getByLabel("Slot 1: account or pool").selectOption("Work");
  await page.getByRole("button", { name: "Add a slot" }).click();
  await page.getByLabel("Slot 2: account or pool").selectOption("pool Nights");
  await page.getByLabel("Slot 2: model").fill("claude-haiku-4-5");
  await page.getByRole("button", { name: "Move slot 2 up" }).click();
  await page.getByRole("button", { name: "Make the route" }).click();
  await expect(page.getByRole("alert").last()).toHaveText(/exists already/);
  await expect(page.getByRole("textbox", { name: "Name" })).toHaveValue("Mine");
  await expect(page.getByLabel("Slot 1: account or pool")).toHaveValue("pool:2");
  await expect(page.getByLabel("Slot 1: model")).toHaveValue("claude-haiku-4-5");
  await expect(page.getByLabel("Slot 2: account or pool")).toHaveValue("account:1");
});

test("a slot whose account is gone stays chosen until somebody chooses otherwise", async ({ page }) => {
  await open(page, "#/routing", scenes.full);
  await page.getByRole("button", { name: "Change route Night", exact: true }).click();
  await expect(page.getByLabel("Slot 2: account or pool")).toHaveValue("account:9");
  await expect(page.getByLabel("Slot 2: account or pool").locator("option:checked")).toHaveText("account 9, which is gone");
});

test("a dry run that the core refuses says why, and keeps what was described", async ({ page }) => {
  await open(page, "#/routing", scenes.usual, {
    fail: (path) => path.endsWith("/explain") ? { status: 422, body: { code: "bad_input", message: "\"a b\" would be ignored as a project." } } : null,
  });
  const run = page.getByRole("complementary", { name: "What would happen now" });
  await run.getByLabel("Project").fill("a b");
  await run.getByRole("button", { name: "Ask" }).click();
  await expect(run.getByRole("alert")).toHaveText('"a b" would be ignored as a project.');
  await expect(run.getByLabel("Project")).toHaveValue("a b");
});

test("a plan that can't be read says so, and can be tried again", async ({ page }) => {
  let broken = true;
  await open(page, "#/routing", scenes.usual, {
    fail: (path) => broken && path.endsWith("/bindings") ? { status: 500, body: { code: "store_failed", message: "The database is locked." } } : null,
  });
  await expect(page.getByRole("alert")).toContainText("Could not read the plan.");
  broken = false;
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(page.locator('tr[data-binding="project shop"]')).toBeVisible();
});

for (const colorScheme of ["light", "dark"] as const) {
  test(`what is kept back of an account is a form that is accessible in ${colorScheme}, and holds what there is`, async ({ page }) => {
    await page.emulateMedia({ colorScheme });
    const complaints = await open(page, "#/accounts", scenes.full);
    await page.locator('tr[data-account="Night shift"]').getByRole("button", { name: "Keep back" }).click();
    await expect(page.getByLabel("Reserve 1: window")).toHaveValue("7d");
    await expect(page.getByLabel("Reserve 1: percent")).toHaveValue("90");
    await expect(page.getByLabel("A day: tokens")).toHaveValue("2000000");
    await expect(page.getByLabel("Rule 1: time zone")).toHaveValue("Europe/Amsterdam");
    await expect(page.getByRole("checkbox", { name: "Sat" })).not.toBeChecked();
    await expectAccessible(page);
    expect(complaints).toEqual([]);
  });
}

for (const colorScheme of ["light", "dark"] as const) {
  test(`what is done with an account by itself stands in its row and its form, accessible in ${colorScheme}`, async ({ page }) => {
    await page.emulateMedia({ colorScheme });
    const complaints = await open(page, "#/accounts", scenes.full);
    const row = page.locator('tr[data-account="Night shift"]');
    await expect(row).toContainText("Windows are opened Mon, Tue, Wed, Thu, Fri at 07:00, next");
    await expect(row).toContainText("Prompts are kept warm 3 times");
    await row.getByRole("button", { name: "Change" }).click();
    await expect(page.getByLabel("Open its usage windows")).toHaveValue("at");
    await expect(page.getByLabel("Time")).toHaveValue("07:00");
    await expect(page.getByRole("checkbox", { name: "Fri" })).toBeChecked();
    await expect(page.getByRole("checkbox", { name: "Sat" })).not.toBeChecked();
    await expect(page.getByLabel("Keep prompts warm")).toHaveValue("3");
    await expectAccessible(page);
    await page.getByLabel("Open its usage windows").selectOption("at_reset");
    await expect(page.getByLabel("Time")).toHaveCount(0);
    expect(complaints).toEqual([]);
  });
}

test("by default nothing is done with an account by itself", async ({ page }) => {
  await open(page, "#/accounts", scenes.full);
  await page.locator('tr[data-account="Burst"]').getByRole("button", { name: "Change" }).click();
  await expect(page.getByLabel("Open its usage windows")).toHaveValue("off");
  await expect(page.getByLabel("Keep prompts warm")).toHaveValue("0");
});

test("what was kept from costing money stands by path, and leads to where it can be allowed", async ({ page }) => {
  await open(page, "#/accounts", scenes.full);
  const kept = page.getByRole("region", { name: "Kept from costing money" });
  await expect(kept.getByRole("listitem").first()).toContainText("13 requests on 2 days, last on Thu 26 Nov");
  await kept.getByRole("button", { name: "Change where it may spill over from Work" }).first().click();
  await expect(page.getByRole("dialog", { name: "Change Work" })).toBeVisible();
});
