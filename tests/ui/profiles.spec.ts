// A person makes a profile of Claude Code on the page, against the real core, forgets it and has it back.
import { expect, test, type Page } from "@playwright/test";
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

const row = (name: string) => page.locator(`tr[data-profile="${name}"]`);
const dialog = () => page.getByRole("dialog");

test("a profile is made, and its command is there to copy", async () => {
  await page.keyboard.press("g");
  await page.keyboard.press("p");
  await expect(page.getByRole("main")).toContainText("There is no profile yet");
  await page.getByRole("button", { name: "Add a profile" }).click();
  await expect(dialog().getByLabel("Name")).toBeFocused();
  await page.keyboard.type("../up");
  await page.keyboard.press("Enter");
  await expect(dialog().getByRole("alert")).toContainText("letters, digits");
  await dialog().getByLabel("Name").fill("work");
  await page.keyboard.press("Enter");
  await expect(row("work")).toContainText("headgate run --profile work");
  await expect(row("work")).toContainText("Nothing known yet");
  await expectAccessible(page);
});

test("it gets another name, is forgotten, and is put back with its folder", async () => {
  await row("work").getByRole("button", { name: "Rename profile work" }).click();
  await dialog().getByLabel("Name").fill("office");
  await page.keyboard.press("Enter");
  await expect(row("office")).toContainText("/profiles/work");
  await row("office").getByRole("button", { name: "Forget profile office" }).click();
  await expect(dialog().getByRole("button", { name: "Keep it" }), "Enter keeps it").toBeFocused();
  await dialog().getByRole("button", { name: "Forget the profile" }).click();
  await expect(row("office")).toHaveCount(0);
  await expect(page.getByRole("button", { name: "Put it back" })).toBeFocused();
  await page.getByRole("link", { name: "Keys" }).click();
  await expect(page.getByRole("heading", { name: "Keys", level: 1 })).toBeVisible();
  await page.getByRole("link", { name: "Profiles" }).click();
  await page.getByRole("button", { name: "Put it back" }).click();
  await expect(row("office")).toContainText("/profiles/work");
});

test("its folder goes only where that is said", async () => {
  await row("office").getByRole("button", { name: "Forget profile office" }).click();
  await dialog().getByRole("checkbox").check();
  await dialog().getByRole("button", { name: "Forget it and remove the folder" }).click();
  await expect(page.getByRole("main")).toContainText("There is no profile yet");
  await expect(page.getByRole("button", { name: "Put it back" })).toHaveCount(0);
});
