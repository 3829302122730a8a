// The program's life beyond its window: it goes on in the tray, can be paused from there, comes back, and
// ends only when asked, after the last answer.
import assert from "node:assert/strict";
import { test } from "node:test";
import { HELLO, openDesk } from "./desk.mjs";
import { until } from "./webdriver.mjs";

test("closing the window leaves the proxy serving, and a second start brings the window back", async (t) => {
  const desk = await openDesk(t);
  const upstream = await desk.upstream();
  const first = desk.launch();
  await desk.window();
  await desk.listening();
  desk.add("Work", upstream.url);

  await desk.closeWindow();
  assert.equal((await desk.fetch("/v1/messages", HELLO)).status, 200, "without a window the proxy serves");

  const second = desk.launch();
  assert.equal((await second.ended).code, 0, "the second start hands over to the first");
  await desk.window();
  assert.equal(first.exitCode, null, "the first one goes on");
});

test("hidden, it starts without a window and opens from the tray", async (t) => {
  const desk = await openDesk(t);
  const tray = await desk.tray();
  desk.launch("--hidden");
  await tray.shows(/Running at 127\.0\.0\.1/);
  assert.deepEqual(desk.windows(), []);
  await tray.click("Open Headgate");
  await desk.window();
});

test("the tray pauses the proxy and resumes it", async (t) => {
  const desk = await openDesk(t);
  const upstream = await desk.upstream();
  const tray = await desk.tray();
  desk.launch("--hidden");
  const running = await tray.shows(/Running at/);
  desk.add("Work", upstream.url);

  await tray.click("Pause");
  const paused = await tray.shows(/^Paused$/);
  assert.notEqual(paused.icon, running.icon, "the sign changes with the state");
  const refused = await desk.fetch("/v1/messages", HELLO);
  assert.ok(refused.status >= 400, `a paused proxy refuses, not ${refused.status}`);
  assert.match((await refused.json()).error.message, /paused/i);

  await tray.click("Resume");
  await tray.shows(/Running at/);
  assert.equal((await desk.fetch("/v1/messages", HELLO)).status, 200);
});

test("quitting waits for the last answer", async (t) => {
  const desk = await openDesk(t);
  const upstream = await desk.upstream();
  const tray = await desk.tray();
  const program = desk.launch("--hidden");
  await tray.shows(/Running at/);
  desk.add("Work", upstream.url);

  upstream.hold();
  const answer = desk.fetch("/v1/messages", HELLO);
  await until("the request is with the upstream", () => upstream.seen.length === 1);
  await tray.click("Quit");
  await tray.shows(/Stopping: 1 request running/);
  upstream.release();

  assert.equal((await answer).status, 200, "the running request was answered");
  assert.equal((await program.ended).code, 0);
  const [request] = JSON.parse(desk.command("requests", "--json"));
  assert.equal(request.ending, "complete", "and it was written down as that");
});
