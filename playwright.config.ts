// Drives the page in the system's Chromium. `journeys` meet the real core (`headgate demo`), `states`
// show the built page what the demo cannot show, `shots` take a picture of every screen.
import { defineConfig } from "@playwright/test";

// Scenes stand at a fixed moment; the real core and the browser share the zone of the machine.
const scripted = { timezoneId: "Europe/Berlin" };

export default defineConfig({
  testDir: "tests/ui",
  outputDir: "test-results",
  fullyParallel: false,
  workers: 1,
  timeout: 60_000,
  expect: { timeout: 15_000 },
  reporter: [["list"]],
  use: {
    browserName: "chromium",
    locale: "en-GB",
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: [
        "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
      ],
    },
  },
  projects: [
    { name: "states", testMatch: ["states.spec.ts", "sign-in-states.spec.ts", "vault-states.spec.ts", "probe-states.spec.ts"], use: scripted },
    { name: "journeys", testMatch: ["journeys.spec.ts", "plan.spec.ts", "sign-in.spec.ts", "profiles.spec.ts"] },
    { name: "shots", testMatch: "shots.ts", use: scripted },
  ],
});
