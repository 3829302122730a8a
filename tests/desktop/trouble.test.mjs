// What the window says when the core can't work, what it offers, and that it works again afterwards.
import assert from "node:assert/strict";
import { writeFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { start } from "../../scripts/parts/run.mjs";
import { openDesk } from "./desk.mjs";

test("a port that is taken is told, and tried again when it is free", async (t) => {
  const desk = await openDesk(t);
  const leave = await desk.occupy();
  const page = await desk.page();
  await page.says(new RegExp(`${desk.port}`));
  await desk.picture(page, "port-taken");

  await leave();
  await page.click("Try again");
  await page.says(/Running/);
  await desk.listening();
});

test("a locked keychain is told, and tried again when it is open", async (t) => {
  const desk = await openDesk(t);
  desk.lockKeychain();
  const page = await desk.page();
  await page.says(/keychain/i);
  await desk.picture(page, "keychain-locked");

  await desk.session.unlock();
  await page.click("Try again");
  await page.says(/Running/);
});

test("a database that is damaged is told, and nothing is touched", async (t) => {
  const desk = await openDesk(t);
  mkdirSync(desk.folder, { recursive: true });
  writeFileSync(join(desk.folder, "headgate.db"), "this is no database, whatever its name says".repeat(200));
  const page = await desk.page();
  await page.says(/damaged|not a database|corrupt/i);
  await desk.picture(page, "database-damaged");
});

test("where another Headgate has the folder, the window shows that one", async (t) => {
  const desk = await openDesk(t);
  const server = start(process.env.HEADGATE_BIN, ["serve", "--data-dir", desk.folder, "--port", String(desk.port)], { env: desk.session.env });
  desk.ends.push(() => server.kill("SIGTERM"));
  await desk.listening();
  const page = await desk.page();
  await page.says(/Running/);
  await page.says(new RegExp(`127\\.0\\.0\\.1:${desk.port}`));

  server.kill("SIGTERM");
  assert.equal((await server.ended).code, 0);
  // Its folder is free now, so the window's own core takes over.
  await desk.listening();
  await page.says(/Running/);
});

test("without a screen it says where to go instead of breaking off", async (t) => {
  const desk = await openDesk(t);
  const { DISPLAY, ...env } = desk.session.env;
  const program = start(process.env.HEADGATE_DESKTOP, [], { env, stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  program.stderr.on("data", (text) => (said += text));
  assert.equal((await program.ended).code, 1);
  assert.match(said, /headgate serve/);
});
