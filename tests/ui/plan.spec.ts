// A person makes a plan on the page, against the real core with its sandbox: by keyboard alone, then by mouse,
// and what was removed is put back. One demo serves all journeys, and they keep one tab.
import { expect, test, type Locator, type Page } from "@playwright/test";
import { expectAccessible } from "./axe.ts";
import { startDemo, type Demo } from "./demo.ts";

test.describe.configure({ mode: "serial" });

let demo: Demo;
let page: Page;

test.beforeAll(async ({ browser }) => {
  demo = await startDemo();
  page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  await page.goto(demo.link);
  await expect(page.getByRole("heading", { level: 1 })).not.toBeEmpty();
});

test.afterAll(async () => {
  await page?.close();
  await demo?.stop();
});

const poolRow = (name: string) => page.locator(`tr[data-pool="${name}"]`);
const routeRow = (name: string) => page.locator(`tr[data-route="${name}"]`);
const bindingRow = (what: string) => page.locator(`tr[data-binding="${what}"]`);
const answer = () => page.getByRole("region", { name: "The answer" });
const dialog = () => page.getByRole("dialog");

/** Goes there with the tab key alone. */
async function tabTo(target: Locator): Promise<void> {
  for (let presses = 0; presses < 80; presses++) {
    if (await target.evaluate((element) => element === document.activeElement)) return;
    await page.keyboard.press("Tab");
  }
  throw new Error("the tab key does not come there");
}

/** Asks the management API as another program would, with this tab's right to. */
function elsewhere(method: string, path: string, body?: unknown): Promise<number> {
  return page.evaluate(async ([method, path, body]) => {
    const headers = { authorization: `Bearer ${sessionStorage.getItem("headgate-token")}`, "content-type": "application/json" };
    return (await fetch(`/api/v1/${path}`, { method: method as string, headers, body: body ? JSON.stringify(body) : null })).status;
  }, [method, path, body] as const);
}

test("a pool is made by keyboard alone", async () => {
  await page.keyboard.press("g");
  await page.keyboard.press("u");
  await expect(page.getByRole("heading", { name: "Routing", level: 1 })).toBeVisible();
  await expect(poolRow("main")).toContainText("Overflow");
  await tabTo(page.getByRole("button", { name: "Make a pool" }));
  await page.keyboard.press("Enter");
  await expect(dialog().getByLabel("Name")).toBeFocused();
  await page.keyboard.type("Nights");
  await tabTo(dialog().getByLabel("Chooses"));
  await page.keyboard.type("What expires");
  await expect(dialog()).toContainText("finishing its week in time");
  await tabTo(dialog().getByRole("checkbox", { name: "Spare" }));
  await page.keyboard.press("Space");
  await page.keyboard.press("Enter");
  await expect(poolRow("Nights")).toContainText("What expires first");
  await expect(poolRow("Nights")).toContainText("Spare");
  await expect(poolRow("main")).not.toContainText("Spare");
  await expect(poolRow("Nights")).toContainText("Nothing leads here");
});

test("a route is made by keyboard alone, and its slots are brought into another order", async () => {
  await tabTo(page.getByRole("button", { name: "Make a route" }));
  await page.keyboard.press("Enter");
  await expect(dialog().getByLabel("Name")).toBeFocused();
  await page.keyboard.type("Cheap");
  await page.keyboard.press("Tab");
  await page.keyboard.type("opus");
  await tabTo(dialog().getByLabel("Slot 1: account or pool"));
  await page.keyboard.type("Overflow");
  await tabTo(dialog().getByRole("button", { name: "Add a slot" }));
  await page.keyboard.press("Enter");
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Shift+Tab");
  await expect(dialog().getByLabel("Slot 2: model")).toBeFocused();
  await page.keyboard.type("claude-haiku-4-5");
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.type("pool Nights");
  await tabTo(dialog().getByRole("button", { name: "Move slot 2 up" }));
  await page.keyboard.press("Enter");
  await expect(dialog().getByRole("button", { name: "Move slot 1 down" }), "the focus stays with the slot that moved").toBeFocused();
  await expect(dialog().getByRole("status")).toHaveText("Slot 2 is now slot 1.");
  await expectAccessible(page);
  await tabTo(dialog().getByRole("button", { name: "Make the route" }));
  await page.keyboard.press("Enter");
  await expect(routeRow("Cheap").getByRole("listitem")).toHaveText(["pool Nights as claude-haiku-4-5", "→ Overflow", "→ refused"]);
  await expect(poolRow("Nights")).toContainText("route Cheap");
});

test("a folder that is named from nowhere is refused in the core's words, and what was typed stays", async () => {
  await page.getByRole("button", { name: "Bind something" }).click();
  await dialog().getByLabel("Bind").selectOption("A folder");
  await dialog().getByLabel("Folder").fill("work/shop");
  await dialog().getByLabel("To the pool").selectOption("Nights");
  await dialog().getByRole("button", { name: "Bind it" }).click();
  await expect(dialog().getByRole("alert")).toHaveText(/from the root on/i);
  await expect(dialog().getByLabel("Folder")).toHaveValue("work/shop");
  await dialog().getByLabel("Bind").selectOption("A project");
  await dialog().getByLabel("Project").fill("shop");
  await dialog().getByLabel("Where the pool can't serve").selectOption("Refuse: nobody else may serve it");
  await dialog().getByRole("button", { name: "Bind it" }).click();
  await expect(bindingRow("project shop")).toContainText("There, or refused");
});

test("what would happen now follows the plan while it is changed", async () => {
  const run = page.getByRole("complementary", { name: "What would happen now" });
  await run.getByLabel("Model").fill("haiku");
  await run.getByLabel("Project").fill("shop");
  await page.keyboard.press("Enter");
  await expect(answer()).toContainText("Would go to Spare");
  await expect(answer()).toContainText("Bound by project shop.");
  await expect(answer().getByRole("listitem").filter({ hasText: "Work" })).toContainText("passed over");
  await page.reload();
  await expect(answer(), "what is asked stands in the address").toContainText("Bound by project shop.");

  await run.getByLabel("Model").fill("claude-opus-4-8");
  await run.getByRole("button", { name: "Ask" }).click();
  await expect(answer()).toContainText("Route Cheap.");
  await expect(answer()).toContainText("slot 1 · as claude-haiku-4-5");
  await routeRow("Cheap").getByRole("button", { name: "Switch off" }).click();
  await expect(routeRow("Cheap")).toContainText("Switched off");
  await expect(answer(), "nobody has asked again").not.toContainText("Route Cheap.");
  await routeRow("Cheap").getByRole("button", { name: "Switch on" }).click();
  await expect(answer()).toContainText("Route Cheap.");
});

test("an account that is paused elsewhere makes its route and its binding say so", async () => {
  const spare = await page.evaluate(async () => {
    const headers = { authorization: `Bearer ${sessionStorage.getItem("headgate-token")}` };
    const all = (await (await fetch("/api/v1/accounts", { headers })).json()) as { id: number; name: string }[];
    return all.find(({ name }) => name === "Spare")?.id;
  });
  expect(await elsewhere("POST", `accounts/${spare}/pause`, { reason: "" })).toBe(200);
  await expect(routeRow("Cheap")).toContainText("Spare, alone in pool Nights, is paused");
  await expect(bindingRow("project shop")).toContainText("what is bound so is refused");
  await expect(answer()).toContainText("Nobody could take it now");
  expect(await elsewhere("POST", `accounts/${spare}/resume`)).toBe(200);
  await expect(bindingRow("project shop")).not.toContainText("refused.");
});

test("only the model that was asked for is served once that is ticked, and a slot of another one says so", async () => {
  await page.getByRole("checkbox", { name: /^Serve the model that was asked for/ }).check();
  await expect(routeRow("Cheap")).toContainText("pool Nights would be asked for claude-haiku-4-5");
  await page.reload();
  const box = page.getByRole("checkbox", { name: /^Serve the model that was asked for/ });
  await expect(box).toBeChecked();
  await box.uncheck();
  await expect(routeRow("Cheap")).not.toContainText("would be asked");
});

test("a pool is changed, dissolved with all that comes of it told, and put back as it was", async () => {
  await poolRow("Nights").getByRole("button", { name: "Change" }).click();
  await dialog().getByLabel("Name").fill("MAIN");
  await dialog().getByRole("button", { name: "Save changes" }).click();
  await expect(dialog().getByRole("alert")).not.toBeEmpty();
  await dialog().getByLabel("Name").fill("Late");
  await dialog().getByLabel("Chooses").selectOption("In turn");
  await dialog().getByRole("checkbox", { name: "Overflow" }).check();
  await dialog().getByRole("button", { name: "Save changes" }).click();
  await expect(poolRow("Late")).toContainText("In turn");
  await expect(poolRow("Late")).toContainText("Overflow");
  await expect(bindingRow("project shop")).toContainText("Late");

  await poolRow("Late").getByRole("button", { name: "Dissolve" }).click();
  await expect(dialog()).toContainText("Overflow and Spare go back to main");
  await expect(dialog()).toContainText("A slot of the route Cheap points at nothing");
  await expect(dialog()).toContainText("project shop is refused until bound elsewhere");
  await expect(dialog().getByRole("button", { name: "Keep it" })).toBeFocused();
  await expectAccessible(page);
  await dialog().getByRole("button", { name: "Dissolve the pool" }).click();
  await expect(page.getByText("Pool Late is dissolved.")).toBeVisible();
  await expect(poolRow("main")).toContainText("Spare");
  await expect(bindingRow("project shop")).toContainText("Its pool is gone: what is bound so is refused.");
  await expect(routeRow("Cheap")).toContainText("is gone.");
  await expectAccessible(page);

  await expect(page.getByRole("button", { name: "Put it back" })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(poolRow("Late")).toContainText("Overflow");
  await expect(poolRow("Late")).toContainText("Spare");
  await expect(bindingRow("project shop")).not.toContainText("gone");
  await expect(page.getByText("Pool Late is dissolved.")).toBeHidden();
});

test("a route and a binding are changed, removed and put back", async () => {
  await routeRow("Cheap").getByRole("button", { name: "Change" }).click();
  await dialog().getByRole("button", { name: "Leave out slot 1" }).click();
  await dialog().getByLabel("What no slot can serve").selectOption({ index: 1 });
  await dialog().getByRole("button", { name: "Save changes" }).click();
  await expect(routeRow("Cheap").getByRole("listitem")).toHaveText(["Overflow", "→ the usual selection"]);

  await routeRow("Cheap").getByRole("button", { name: "Remove" }).click();
  await dialog().getByRole("button", { name: "Remove the route" }).click();
  await expect(page.getByText("No route.")).toBeVisible();
  await page.getByRole("button", { name: "Put it back" }).click();
  await expect(routeRow("Cheap").getByRole("listitem")).toHaveText(["Overflow", "→ the usual selection"]);

  await bindingRow("project shop").getByRole("button", { name: "Change" }).click();
  await dialog().getByLabel("Where the pool can't serve").selectOption("Main serves");
  await dialog().getByRole("button", { name: "Save changes" }).click();
  await expect(bindingRow("project shop")).toContainText("There first");
  await bindingRow("project shop").getByRole("button", { name: "Remove" }).click();
  await dialog().getByRole("button", { name: "Remove the binding" }).click();
  await expect(page.getByText("Project shop is bound no more.")).toBeVisible();
  await page.getByRole("button", { name: "Put it back" }).click();
  await expect(bindingRow("project shop")).toContainText("There first");
});

test("what was removed can still be put back after a look at another screen", async () => {
  await bindingRow("project shop").getByRole("button", { name: "Remove" }).click();
  await dialog().getByRole("button", { name: "Remove the binding" }).click();
  const back = page.getByRole("button", { name: "Put it back" });
  await expect(back).toBeFocused();
  await page.getByRole("link", { name: "Keys" }).click();
  await expect(page.getByRole("heading", { name: "Keys", level: 1 })).toBeVisible();
  await expect(back).toBeHidden();
  await page.getByRole("link", { name: "Routing" }).click();
  await expect(back).not.toBeFocused();
  await back.click();
  await expect(bindingRow("project shop")).toContainText("There first");
  await expect(back).toBeHidden();
});

test("a plan that is made elsewhere appears, and what is half described here stays", async () => {
  const run = page.getByRole("complementary", { name: "What would happen now" });
  await run.getByLabel("Tokens of its prompt").fill("180000");
  expect(await elsewhere("POST", "pools", { name: "From afar" })).toBe(201);
  await expect(poolRow("From afar")).toContainText("By priority");
  await page.getByRole("button", { name: "Make a route" }).click();
  await page.keyboard.press("Escape");
  await expect(run.getByLabel("Tokens of its prompt")).toHaveValue("180000");
});

test("what is kept back of an account is set, changed and taken back", async () => {
  await page.keyboard.press("g");
  await page.keyboard.press("a");
  const row = page.locator('tr[data-account="Work"]');
  await row.getByRole("button", { name: "Keep back" }).click();
  await expect(dialog().getByRole("button", { name: "Add a reserve" })).toBeFocused();
  await page.keyboard.press("Enter");
  await dialog().getByLabel("Reserve 1: window").selectOption("5h");
  await dialog().getByLabel("Reserve 1: percent").fill("85");
  await dialog().getByLabel("A day: tokens").fill("2000000000");
  await dialog().getByLabel("A month: dollars").fill("12.5");
  await dialog().getByRole("button", { name: "Add hours" }).click();
  await dialog().getByLabel("Rule 1: time zone").fill("Europe/Nowhere");
  await dialog().getByRole("button", { name: "Save changes" }).click();
  await expect(dialog().getByRole("alert")).toContainText("Europe/Nowhere");
  await expect(dialog().getByLabel("A month: dollars"), "nothing is lost").toHaveValue("12.5");
  await dialog().getByLabel("Rule 1: time zone").fill("Europe/Berlin");
  await expectAccessible(page);
  await dialog().getByRole("button", { name: "Save changes" }).click();
  await expect(row).toContainText("5h stops at 85 %");
  await expect(row).toContainText("of $12.50 this month");
  await expect(row).toContainText("Comes last Mon, Tue, Wed, Thu, Fri 09:00–17:00 Europe/Berlin");

  await row.getByRole("button", { name: "Keep back" }).click();
  await expect(dialog().getByLabel("Reserve 1: percent")).toHaveValue("85");
  await dialog().getByRole("button", { name: "Leave out reserve 1" }).click();
  await dialog().getByRole("button", { name: "Leave out rule 1" }).click();
  await dialog().getByLabel("A day: tokens").fill("");
  await dialog().getByLabel("A month: dollars").fill("");
  await dialog().getByRole("button", { name: "Save changes" }).click();
  await expect(row).not.toContainText("stops at");
  await expect(row).not.toContainText("this month");
});
