// The window does the main job by itself: the page is there without a port, an account is added in it, and
// a request through the proxy appears.
import assert from "node:assert/strict";
import { test } from "node:test";
import { HELLO, openDesk } from "./desk.mjs";

test("the window shows the page even where the proxy has no port", async (t) => {
  const desk = await openDesk(t);
  await desk.occupy();
  const page = await desk.page();
  await page.says(/Add an account/);
  assert.match(await page.run("return location.href"), /^tauri:/, "the page is part of the program");
});

test("the page reaches its own core and nothing else", async (t) => {
  const desk = await openDesk(t);
  const page = await desk.page();
  await page.says(/Running/);
  const refused = await page.call("POST", "/execute/async", {
    script: `
      const done = arguments[0];
      document.addEventListener("securitypolicyviolation", (event) => done(event.violatedDirective));
      fetch("http://127.0.0.1:1/").catch(() => {});
    `,
    args: [],
  });
  assert.equal(refused, "connect-src", "the page reaches nothing but its own core");
  const asked = await page.call("POST", "/execute/async", {
    script: `
      const done = arguments[0];
      window.__TAURI_INTERNALS__.invoke("plugin:window-state|filename").then(() => done("let in"), () => done("refused"));
    `,
    args: [],
  });
  assert.equal(asked, "refused", "the page may call one command, and it is not this one");
});

test("an account is added in the window, and a request appears", async (t) => {
  const desk = await openDesk(t);
  const upstream = await desk.upstream();
  const page = await desk.page();

  await page.says(/Running/);
  await page.click("Add an account");
  await page.choose("Provider", "anthropic-compatible");
  await page.fill("Name", "Work");
  await page.fill("API key", "sk-typed-into-the-window");
  await page.fill("Base URL", upstream.url);
  await page.click("Add the account");
  await page.says(/ready/i);
  await desk.picture(page, "account-added");

  const answer = await desk.fetch("/v1/messages", HELLO);
  assert.equal(answer.status, 200);
  assert.equal((await answer.json()).content[0].text, "Hello from upstream");
  assert.equal(upstream.seen[0].headers["x-api-key"], "sk-typed-into-the-window", "the key came out of the keychain");
  await page.says(/claude-sonnet-4-5/);
  await desk.picture(page, "request-seen");

  const kept = desk.command("accounts", "--json");
  assert.equal(JSON.parse(kept)[0].name, "Work", "the headless door sees the window's account");
});
