// Lets axe-core judge what is on screen, and shows what it found in a readable form.
import { createRequire } from "node:module";
import { expect, type Page } from "@playwright/test";

const script = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

type Found = { violations: { id: string; help: string; nodes: { target: unknown[]; failureSummary?: string }[] }[] };

export async function expectAccessible(page: Page): Promise<void> {
  // Evaluated by the debugger, so that our CSP need not allow it.
  if (!(await page.evaluate(() => "axe" in window))) {
    const { readFileSync } = await import("node:fs");
    await page.evaluate(readFileSync(script, "utf8"));
  }
  const { violations } = await page.evaluate(() => (window as unknown as { axe: { run(): Promise<Found> } }).axe.run());
  const found = violations.map(({ id, help, nodes }) => ({ id, help, at: nodes.slice(0, 3).map((n) => [n.target.join(" "), n.failureSummary]) }));
  expect(found, "axe-core finds nothing to complain about").toEqual([]);
}
