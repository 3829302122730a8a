// Takes a picture of every screen in every state that its look must hold in: light and dark, narrow and
// wide, empty, usual and full. People look at them before a change of the page is called done.
import { test } from "@playwright/test";
import { scenes } from "./fixtures.ts";
import { stage, STAGE } from "./stage.ts";

// Where a third word stands, the first button of that name is pressed.
const shots: [name: string, hash: string, press?: string][] = [
  ["overview", "#/"],
  ["overview-24h", "#/?span=24h"],
  ["overview-7d", "#/?span=7d"],
  ["accounts", "#/accounts"],
  ["accounts-keep-back", "#/accounts", "Keep back"],
  ["accounts-add", "#/accounts?add=1"],
  ["accounts-sign-in", "#/accounts?sign-in=1"],
  ["accounts-sign-in-again", "#/accounts", "Sign in again"],
  ["routing", "#/routing"],
  ["routing-explain", "#/routing?explain=1&model=opus&project=shop"],
  ["routing-route", "#/routing?add=route"],
  ["routing-pool", "#/routing?add=pool"],
  ["routing-binding", "#/routing?add=binding"],
  ["keys", "#/keys"],
  ["jobs", "#/jobs"],
  ["profiles", "#/profiles"],
  ["vault", "#/jobs", "Keys are in"],
  ["keys-add", "#/keys?add=1"],
  ["requests", "#/requests"],
  ["request", "#/requests?open=req_0999999999997"],
];

for (const [name, scene] of Object.entries(scenes)) {
  for (const [screen, hash, press] of shots) {
    if (name === "empty" && ["request", "overview-24h", "overview-7d", "accounts-keep-back"].includes(screen)) continue;
    if (name !== "full" && screen === "accounts-sign-in-again") continue;
    for (const colorScheme of ["light", "dark"] as const) {
      for (const width of [900, 1600]) {
        test(`${screen} ${name} ${colorScheme} ${width}`, async ({ page }) => {
          await page.setViewportSize({ width, height: width === 900 ? 760 : 980 });
          await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
          await stage(page, scene);
          await page.goto(`${STAGE}/${hash}`);
          await page.waitForFunction(() => !document.body.innerText.includes("Reading "));
          if (press === "Sign in again") await page.getByRole("button", { name: press }).click();
          else if (screen === "vault") await page.getByRole("button", { name: press }).click();
          else if (press) await page.locator('tr[data-account="Night shift"], tr[data-account="Work"]').last().getByRole("button", { name: press }).click();
          await page.screenshot({ path: `screenshots/${screen}-${name}-${colorScheme}-${width}.png`, fullPage: width === 900 && name !== "full" });
        });
      }
    }
  }
}
