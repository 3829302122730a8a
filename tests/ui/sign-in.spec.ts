// Signing in on the page, against the real core and the sandbox's authorisation server: a browser on this machine, a
// paste, a device's code, a link; and signing in again.
import { expect, test, type APIRequestContext, type Page } from "@playwright/test";
import { expectAccessible } from "./axe.ts";
import { startAuthority, startDemo, type Authority, type Demo } from "./demo.ts";

test.describe.configure({ mode: "serial" });

let demo: Demo;
let authority: Authority;
let page: Page;

test.beforeAll(async ({ browser }) => {
  [demo, authority] = await Promise.all([startDemo(), startAuthority()]);
  page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  await page.goto(demo.link);
  await expect(page.getByRole("banner").getByText("Running")).toBeVisible();
  await page.goto(`${demo.address}/#/accounts`);
});

test.afterAll(async () => {
  await page?.close();
  await Promise.all([demo?.stop(), authority?.stop()]);
});

const row = (name: string) => page.locator(`tr[data-account="${name}"]`);
const dialog = () => page.getByRole("dialog").first();

async function fillIn(name: string, way: string) {
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await dialog().getByLabel("Sign in with").selectOption("oidc");
  await dialog().getByLabel("Name").fill(name);
  await dialog().getByLabel("Provider").selectOption("anthropic");
  await dialog().getByLabel("Base URL").fill(authority.upstream);
  await dialog().getByLabel("Issuer").fill(authority.issuer);
  await dialog().getByLabel("Client id").fill(authority.client);
  await dialog().getByLabel("How").selectOption(way);
}

const send = () => dialog().getByRole("button", { name: "Sign in", exact: true }).click();

/** Where the provider sends a browser that opens the address. */
async function sentTo(): Promise<string> {
  const url = await dialog().getByRole("link", { name: "Open the sign-in page" }).getAttribute("href");
  return (await fetch(url ?? "", { redirect: "manual" })).headers.get("location") ?? "";
}

async function isSignedIn(name: string) {
  await expect(dialog()).toContainText(`Signed in: ${name} takes part from now on.`);
  await expect(dialog().getByRole("button", { name: "Done" })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(row(name)).toContainText("Signed in with Your own sign-in (OpenID Connect)");
}

test("what is missing or wrong is said at the form, and what was typed stays", async () => {
  await fillIn("By browser", "loopback");
  await dialog().getByLabel("Client id").fill("");
  await send();
  await expect(dialog().getByRole("alert")).toContainText("wants a registered client");
  await dialog().getByLabel("Client id").fill(authority.client);
  await dialog().getByLabel("Issuer").fill("not an address");
  await send();
  await expect(dialog().getByRole("alert")).not.toContainText("registered client");
  await expect(dialog().getByLabel("Name")).toHaveValue("By browser");
  await expect(dialog().getByLabel("Client id")).toHaveValue(authority.client);
  await dialog().getByLabel("Issuer").fill(authority.issuer);
});

test("a browser on this machine brings the answer, and the account is there", async () => {
  await send();
  await expect(dialog().getByRole("link", { name: "Open the sign-in page" })).toBeFocused();
  await expectAccessible(page);
  const [tab] = await Promise.all([page.waitForEvent("popup"), page.keyboard.press("Enter")]);
  await expect(tab.locator("body")).toContainText("close");
  await tab.close();
  await isSignedIn("By browser");
});

test("a code is entered elsewhere, and the page notices", async () => {
  await fillIn("By device", "device");
  await send();
  await expect(dialog().getByText(/^WDJB-\d{4}$/)).toBeVisible();
  const there = await dialog().getByRole("link", { name: "Open the page with the code" }).getAttribute("href");
  expect((await fetch(there ?? "")).status).toBe(200);
  await isSignedIn("By device");
});

test("a whole address is pasted; half of one is refused, and changes nothing", async () => {
  await fillIn("By paste", "paste");
  await send();
  const back = await sentTo();
  await dialog().getByLabel("Code or address").fill(back.split("&state")[0] ?? "");
  await dialog().getByRole("button", { name: "Use it" }).click();
  await expect(dialog().getByRole("alert")).toContainText("a part of the answer is missing");
  await dialog().getByLabel("Code or address").fill(back);
  await dialog().getByRole("button", { name: "Use it" }).click();
  await isSignedIn("By paste");
});

/** A sign-in by a link, begun by the API, and what hands a link in: this page has no window to offer one. */
async function byLink(request: APIRequestContext, name: string) {
  const headers = { authorization: `Bearer ${await page.evaluate(() => sessionStorage.getItem("headgate-token"))}` };
  const data = {
    name, provider: "anthropic", base_url: authority.upstream, with: "oidc", issuer: authority.issuer, client_id: authority.client, way: "deep_link",
  };
  const begun = await request.post(`${demo.address}/api/v1/sign-ins`, { data, headers });
  expect(begun.status()).toBe(201);
  const { id, url } = (await begun.json()) as { id: string; url: string };
  const back = (await fetch(url, { redirect: "manual" })).headers.get("location") ?? "";
  expect(back).toMatch(/^headgate:\/\/oauth\/callback\?/);
  const handIn = (link: string) => request.post(`${demo.address}/api/v1/sign-ins/callback`, { data: { url: link }, headers });
  const state = async () => ((await (await request.get(`${demo.address}/api/v1/sign-ins/${id}`, { headers })).json()) as { state: string }).state;
  return { back, handIn, state };
}

test("a page without a window offered a way back into one", async () => {
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await dialog().getByLabel("Sign in with").selectOption("oidc");
  await expect(dialog().getByLabel("How").getByRole("option")).toHaveText([/on this machine/, /that I paste/, /that I enter there/]);
  await page.keyboard.press("Escape");
});

test("what a link brings is used only after a yes", async ({ request }) => {
  const { back, handIn } = await byLink(request, "By link");

  expect((await handIn(back.replace(/state=[^&]+/, "state=of-somebody-else"))).status()).toBe(422);
  await expect(page.getByRole("dialog")).toHaveCount(0);

  expect((await handIn(back)).status()).toBe(200);
  const question = page.getByRole("dialog", { name: "Finish signing in to By link?" });
  await expect(question.getByRole("button", { name: "Refuse" })).toBeFocused();
  await expectAccessible(page);
  await question.getByRole("button", { name: "Finish the sign-in" }).click();
  await expect(row("By link")).toContainText("Signed in with Your own sign-in (OpenID Connect)");
});

test("a link's answer that is refused adds no account", async ({ request }) => {
  const { back, handIn, state } = await byLink(request, "Refused");
  await handIn(back);
  await page.getByRole("dialog", { name: "Finish signing in to Refused?" }).getByRole("button", { name: "Refuse" }).click();
  await expect.poll(state).toBe("cancelled");
  await expect(row("Refused")).toHaveCount(0);
});

test("closing the dialog calls off what nobody has answered", async ({ request }) => {
  await fillIn("Left", "paste");
  await send();
  const back = await sentTo();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toHaveCount(0);
  const token = await page.evaluate(() => sessionStorage.getItem("headgate-token"));
  const headers = { authorization: `Bearer ${token}` };
  const all = async () => (await request.get(`${demo.address}/api/v1/sign-ins`, { headers })).json() as Promise<{ id: string; name: string; state: string }[]>;
  await expect.poll(async () => (await all()).find(({ name }) => name === "Left")?.state).toBe("cancelled");
  const left = (await all()).find(({ name }) => name === "Left");
  const late = await request.post(`${demo.address}/api/v1/sign-ins/${left?.id}/code`, { data: { code: back }, headers });
  expect(late.status()).toBe(409);
});

test("signing in again keeps the account", async () => {
  await row("By paste").getByRole("button", { name: "Change" }).click();
  await expect(dialog()).toContainText("Signed in with Your own sign-in");
  await dialog().getByRole("button", { name: "Sign in again" }).click();
  await expect(dialog().getByLabel("Issuer")).toHaveValue(authority.issuer + "/");
  const before = await row("By paste").locator("[data-row]").getAttribute("data-row");
  await dialog().getByLabel("How").selectOption("paste");
  await dialog().getByRole("button", { name: "Sign in again" }).click();
  await dialog().getByLabel("Code or address").fill(await sentTo());
  await dialog().getByRole("button", { name: "Use it" }).click();
  await isSignedIn("By paste");
  await expect(row("By paste").locator("[data-row]")).toHaveAttribute("data-row", before ?? "");
});

test("removing an account that is signed in says that it is signed out", async () => {
  await row("By paste").getByRole("button", { name: "Remove" }).click();
  await expect(dialog()).toContainText("It is signed out");
  await dialog().getByRole("button", { name: "Remove the account" }).click();
  await expect(row("By paste")).toHaveCount(0);
});
