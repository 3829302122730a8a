// What a person has in front of them: the program on a screen of its own, its tray, its window, and an
// upstream that answers. Each test opens a desk and everything on it is gone when the test ends.
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { ask, start, stop } from "../../scripts/parts/run.mjs";
import { openSession } from "../../scripts/parts/session.mjs";
import { freePort, openPage, until } from "./webdriver.mjs";

export { freePort, until };

const WINDOW = process.env.HEADGATE_DESKTOP;
const HERE = import.meta.dirname;
const PICTURES = "test-results/desktop";

/** Opens a desk for a test and clears it when the test ends. */
export async function desk(test) {
  if (!WINDOW) throw new Error("HEADGATE_DESKTOP names the program to test; `npm test -- --only desktop` sets it");
  const session = await openSession({ screen: true, keychain: true });
  test.after(() => session.close());
  const found = { session, folder: join(session.home, "headgate"), port: await freePort() };
  return Object.assign(found, {
    /** Starts the program as a person does. */
    launch(...args) {
      const program = start(WINDOW, ["--data-dir", found.folder, "--port", String(found.port), ...args], { env: session.env });
      test.after(() => stop(program));
      return program;
    },
    /** Starts it with its page in our hand. */
    async page(...args) {
      const page = await openPage(session, WINDOW, ["--data-dir", found.folder, "--port", String(found.port), ...args]);
      test.after(() => page.close());
      return page;
    },
    /** The windows that are on the screen now. */
    windows: () => (ask("xdotool", ["search", "--onlyvisible", "--name", "Headgate$"], { env: session.env }) ?? "").split("\n").filter(Boolean),
    /** Waits for the window. */
    window: () => until("a window", () => found.windows().at(-1)),
    /** Closes the window the way its button does. */
    async closeWindow() {
      ask("xdotool", ["windowactivate", "--sync", await found.window(), "key", "--clearmodifiers", "alt+F4"], { env: session.env });
      await until("no window", () => found.windows().length === 0);
    },
    /** Asks the proxy something as a client does. */
    fetch: (path, init) => fetch(`http://127.0.0.1:${found.port}${path}`, { signal: AbortSignal.timeout(10_000), ...init }),
    /** Waits until the proxy listens. */
    listening: () => until("the proxy listens", () => found.fetch("/api/hello", { method: "HEAD" }).then(() => true)),
    tray: () => openTray(test, session),
    /** Keeps a picture of the page for eyes. */
    async picture(page, name) {
      mkdirSync(PICTURES, { recursive: true });
      writeFileSync(join(PICTURES, `${name}.png`), await page.picture());
    },
  });
}

async function openTray(test, session) {
  const host = start("python3", [join(HERE, "tray_host.py")], { env: session.env, stdio: ["pipe", "pipe", "inherit"] });
  test.after(() => stop(host));
  const lines = createInterface({ input: host.stdout });
  const next = async () => JSON.parse((await once(lines, "line", { signal: AbortSignal.timeout(10_000) }))[0]);
  const said = next();
  await said;
  const send = (line) => {
    const answer = next();
    host.stdin.write(`${line}\n`);
    return answer;
  };
  const tray = {
    /** Waits until the menu has an item that matches, and gives the menu. */
    shows: (words) =>
      until(`the tray shows ${words}`, async () => {
        const menu = await send("menu");
        return menu?.items?.some(({ label }) => label.match(words)) ? menu : null;
      }),
    /** Clicks an item as soon as it can be clicked. */
    click: (label) => until(`a click on ${label}`, async () => (await send(`click ${label}`))?.clicked),
  };
  return tray;
}

/** An upstream that answers every message with the same few words, and can be told to hold them back. */
export async function upstream(test) {
  const seen = [];
  let release;
  let held = null;
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    seen.push({ url: request.url, headers: request.headers, body: Buffer.concat(chunks).toString() });
    await held;
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify(MESSAGE));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  test.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    seen,
    hold: () => (held = new Promise((resolve) => (release = resolve))),
    release: () => release?.(),
  };
}

const MESSAGE = {
  id: "msg_1",
  type: "message",
  role: "assistant",
  model: "claude-sonnet-4-5",
  content: [{ type: "text", text: "Hello from upstream" }],
  stop_reason: "end_turn",
  usage: { input_tokens: 11, output_tokens: 7 },
};

/** What a client sends. */
export const HELLO = {
  method: "POST",
  headers: { "content-type": "application/json", "x-api-key": "anything", "anthropic-version": "2023-06-01" },
  body: JSON.stringify({ model: "claude-sonnet-4-5", max_tokens: 32, messages: [{ role: "user", content: "Hello" }] }),
};
