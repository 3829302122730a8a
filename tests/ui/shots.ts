// Takes a picture of every screen in every state that its look must hold in: light and dark, narrow and
// wide, empty, usual and full. People look at them before a change of the page is called done.
import { test } from "@playwright/test";
import { scenes } from "./fixtures.ts";
import { stage, STAGE } from "./stage.ts";

const shots = [
  ["overview", "#/"],
  ["overview-24h", "#/?span=24h"],
  ["overview-7d", "#/?span=7d"],
  ["accounts", "#/accounts"],
  ["accounts-add", "#/accounts?add=1"],
  ["keys", "#/keys"],
  ["keys-add", "#/keys?add=1"],
  ["requests", "#/requests"],
  ["request", "#/requests?open=req_0999999999997"],
] as const;

for (const [name, scene] of Object.entries(scenes)) {
  for (const [screen, hash] of shots) {
    if (name === "empty" && ["request", "overview-24h", "overview-7d"].includes(screen)) continue;
    for (const colorScheme of ["light", "dark"] as const) {
      for (const width of [900, 1600]) {
        test(`${screen} ${name} ${colorScheme} ${width}`, async ({ page }) => {
          await page.setViewportSize({ width, height: width === 900 ? 760 : 980 });
          await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
          await stage(page, scene);
          await page.goto(`${STAGE}/${hash}`);
          await page.waitForFunction(() => !document.body.innerText.includes("Reading "));
          await page.screenshot({ path: `screenshots/${screen}-${name}-${colorScheme}-${width}.png`, fullPage: width === 900 && name !== "full" });
        });
      }
    }
  }
}
