// Puts the built page on a stage: its files from ui/dist, its calls answered by a scene, its clock
// fixed. The headers are those that the core sends, so that a breach of the CSP shows here too.
import { readFileSync } from "node:fs";
import { extname } from "node:path";
import type { Page } from "@playwright/test";
import { answer, NOW, type Scene } from "./fixtures.ts";

export const STAGE = "http://headgate.test";
const CSP = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
const types: Record<string, string> = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };

export type Overrides = { token?: boolean; fail?: (path: string, method: string) => { status: number; body: unknown } | null };

export async function stage(page: Page, scene: Scene, { token = true, fail }: Overrides = {}): Promise<void> {
  await page.clock.setFixedTime(NOW);
  if (token) await page.addInitScript(() => window.sessionStorage.setItem("headgate-token", "a-token"));
  await page.route(`${STAGE}/**`, async (route) => {
    const url = new URL(route.request().url());
    if (!url.pathname.startsWith("/api/")) return route.fulfill(fileAt(url.pathname));
    // Left open, as a quiet stream of events is.
    if (url.pathname.endsWith("/events")) return;
    const { status, body } = fail?.(url.pathname, route.request().method()) ?? answer(scene, route.request().method(), url);
    return route.fulfill({ status, json: body });
  });
}

function fileAt(path: string) {
  const file = path === "/" ? "/index.html" : path;
  const body = readFileSync(new URL(`../../ui/dist${file}`, import.meta.url));
  return { body, headers: { "content-type": types[extname(file)] ?? "application/octet-stream", "content-security-policy": CSP } };
}
