// Links of the scheme headgate, as a browser hands them over: by starting the program with one. What it brings is used
// only after a yes in the window, and whatever is not the answer of an open sign-in changes nothing.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ask } from "../../scripts/parts/run.mjs";
import { openDesk } from "./desk.mjs";
import { until } from "./webdriver.mjs";

const accounts = (desk) => JSON.parse(desk.command("accounts", "--json"));

/** Where the provider sends a browser that opens the address. */
async function sentTo(url) {
  return (await fetch(url, { redirect: "manual" })).headers.get("location");
}

/** Begins a sign-in on the page, and gives the address to open. */
async function begin(page, authority) {
  await page.says(/Running/);
  await page.run("location.hash = '#/accounts?sign-in=1'");
  await page.choose("Sign in with", "oidc");
  await page.fill("Name", "Company");
  await page.choose("Provider", "anthropic");
  await page.fill("Base URL", authority.upstream);
  await page.fill("Issuer", authority.issuer);
  await page.fill("Client id", authority.client);
  await page.choose("How", "deep_link");
  await page.press('//dialog//button[@type="submit" and not(ancestor::details)]');
  await page.says(/Open until/);
  return page.run("return document.querySelector('dialog a[target=_blank]').href");
}

test("a link through a second start finishes a sign-in after a yes, and a foreign one changes nothing", async (t) => {
  const desk = await openDesk(t);
  const authority = await desk.authority();
  const page = await desk.page();
  const back = await sentTo(await begin(page, authority));
  assert.match(back, /^headgate:\/\/oauth\/callback\?/);

  for (const foreign of [
    "headgate://oauth/callback?code=abc&state=of-somebody-else",
    "headgate://accounts/remove?id=1",
    back.replace(/state=[^&]+/, "state="),
  ]) {
    assert.equal((await desk.follow(foreign)).code, 0, "the second start hands it over and ends");
    await page.says(/A link that was opened for Headgate was refused/);
  }
  assert.equal((await desk.follow(back)).code, 0);
  await page.says(/Finish signing in to Company\?/);
  await desk.picture(page, "answer-came-back");
  assert.deepEqual(accounts(desk), [], "nothing is kept before somebody says yes");

  await page.click("Finish the sign-in");
  await page.says(/Company takes part from now on/);
  assert.equal(accounts(desk)[0].name, "Company");
  const code = new URL(back).searchParams.get("code");
  assert.doesNotMatch(await page.run("return document.documentElement.outerHTML"), new RegExp(code));
  assert.equal(ask("grep", ["-rl", code, desk.folder]), null, "the code is written nowhere");

  assert.equal((await desk.follow(back)).code, 0, "a replay");
  assert.equal(accounts(desk).length, 1);
});

test("a link that starts the program asks about a sign-in that another core holds", async (t) => {
  const desk = await openDesk(t);
  const authority = await desk.authority();
  const core = await desk.serve();
  const begun = await core.ask("POST", "/api/v1/sign-ins", {
    name: "Company", provider: "anthropic", base_url: authority.upstream, with: "oidc", issuer: authority.issuer, client_id: authority.client, way: "deep_link",
  });
  const page = await desk.page(await sentTo(begun.url));
  await page.says(/Finish signing in to Company\?/);
  await page.click("Refuse");
  await until("the sign-in is called off", async () => (await core.ask("GET", `/api/v1/sign-ins/${begun.id}`)).state === "cancelled");
  assert.deepEqual(accounts(desk), []);
});

test("a link that nobody waits for starts the program and nothing else", async (t) => {
  const desk = await openDesk(t);
  const page = await desk.page("headgate://oauth/callback?code=CANARY-CODE&state=CANARY-STATE");
  await page.says(/No account yet/);
  await page.says(/was refused: no open sign-in/);
  assert.doesNotMatch(await page.run("return document.documentElement.outerHTML"), /CANARY|Finish signing in/);
  const log = readFileSync(join(desk.folder, "logs", "headgate.log"), "utf8");
  assert.match(log, /WARN.*the answer of a sign-in was refused/);
  assert.doesNotMatch(log, /CANARY/);
  assert.doesNotMatch(readFileSync(join(desk.folder, "core.json"), "utf8"), /CANARY/);
  assert.deepEqual(accounts(desk), []);
});
