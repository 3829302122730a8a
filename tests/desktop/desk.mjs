// What a person has in front of them: the program on a screen of its own, its tray, its window, and an
// upstream that answers. Each test opens a desk and everything on it is gone when the test ends.
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { ask, start, stop } from "../../scripts/parts/run.mjs";
import { openSession } from "../../scripts/parts/session.mjs";
import { freePort, openPage, until } from "./webdriver.mjs";

const { HEADGATE_DESKTOP: WINDOW, HEADGATE_BIN: HEADGATE } = process.env;
// Debian's own, which has Debian's D-Bus bindings; another python3 may stand before it in PATH.
const PYTHON = "/usr/bin/python3";
const HERE = import.meta.dirname;
const PICTURES = "test-results/desktop";

/** Opens a desk for a test and clears it when the test ends. */
export async function openDesk(test) {
  if (!WINDOW) throw new Error("HEADGATE_DESKTOP names the program to test; `npm test -- --only desktop` sets it");
  const ends = [];
  // The last thing that was put on the desk goes first.
  test.after(async () => {
    for (const end of ends.reverse()) await end();
  });
  const session = await openSession({ screen: true, keychain: true });
  ends.push(session.close);
  return new Desk(session, ends, await freePort());
}

class Desk {
  constructor(session, ends, port) {
    this.session = session;
    this.ends = ends;
    this.port = port;
    this.folder = join(session.home, "headgate");
  }

  args = () => ["--data-dir", this.folder, "--port", String(this.port)];

  /** Starts the program as a person does. */
  launch(...more) {
    const program = start(WINDOW, [...this.args(), ...more], { env: this.session.env });
    this.ends.push(() => stop(program));
    return program;
  }

  /** Starts it with its page in our hand. */
  async page(...more) {
    const page = await openPage(this.session, WINDOW, [...this.args(), ...more]);
    this.ends.push(() => page.close());
    return page;
  }

  /** Opens a link as a browser does: the program is started with it and nothing else. Gives how that start ended. */
  async follow(link) {
    const env = { ...this.session.env, HEADGATE_DATA_DIR: this.folder, HEADGATE_PORT: String(this.port) };
    const program = start(WINDOW, [link], { env });
    this.ends.push(() => stop(program));
    return program.ended;
  }

  /** A core without a window on the same folder. */
  async serve() {
    const core = start(HEADGATE, ["serve", ...this.args()], { env: this.session.env, stdio: "ignore" });
    this.ends.push(() => stop(core));
    await this.listening();
    const { token } = JSON.parse(readFileSync(join(this.folder, "core.json"), "utf8"));
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    return {
      ask: async (method, path, body) => (await this.fetch(path, { method, headers, body: body && JSON.stringify(body) })).json(),
    };
  }

  /** An upstream, and an authorisation server that agrees to everything. */
  async authority() {
    const sandbox = start(HEADGATE, ["sandbox", "--sign-ins"], { env: this.session.env, stdio: ["ignore", "pipe", "inherit"] });
    this.ends.push(() => stop(sandbox));
    let upstream;
    for await (const line of createInterface({ input: sandbox.stdout })) {
      upstream ??= line.match(/^sandbox on (\S+)/)?.[1];
      const [, issuer, client] = line.match(/^issuer (\S+) client (\S+)/) ?? [];
      if (issuer) return { upstream, issuer, client };
    }
    throw new Error("the sandbox ended before it was there");
  }

  /** Runs a command of the headless door on the same data folder and gives what it prints. */
  command(...words) {
    const env = { ...this.session.env, HEADGATE_DATA_DIR: this.folder };
    return ask(HEADGATE, words, { env });
  }

  /** Adds an account through the headless door. */
  add(name, url) {
    const env = { ...this.session.env, HEADGATE_DATA_DIR: this.folder };
    const words = ["accounts", "add", name, "--provider", "anthropic-compatible", "--base-url", url, "--key-stdin"];
    const { status, stderr } = spawnSync(HEADGATE, words, { env, input: "sk-test-key\n", encoding: "utf8" });
    if (status !== 0) throw new Error(`the account was not added: ${stderr}`);
  }

  /** The windows that are on the screen now. */
  windows() {
    const found = ask("xdotool", ["search", "--onlyvisible", "--name", "Headgate$"], { env: this.session.env });
    return (found ?? "").split("\n").filter(Boolean);
  }

  /** Waits for the window. */
  window = () => until("a window", () => this.windows().at(-1));

  /** Closes the window the way its button does. */
  async closeWindow() {
    const keys = ["windowactivate", "--sync", await this.window(), "key", "--clearmodifiers", "alt+F4"];
    ask("xdotool", keys, { env: this.session.env });
    await until("no window", () => this.windows().length === 0);
  }

  /** Asks the proxy something as a client does. */
  fetch = (path, init) => fetch(`http://127.0.0.1:${this.port}${path}`, { signal: AbortSignal.timeout(15_000), ...init });

  /** Waits until the proxy listens. */
  listening = () => until("the proxy listens", () => this.fetch("/api/hello", { method: "HEAD" }).then(() => true));

  /** A panel with a tray; programs that start later find it. */
  tray = () => openTray(this.session, this.ends);

  /** An upstream that answers. */
  upstream = () => openUpstream(this.ends);

  /** Takes a port before the program can. */
  async occupy() {
    const server = createServer().listen(this.port, "127.0.0.1");
    await once(server, "listening");
    const leave = () => new Promise((resolve) => server.close(resolve));
    this.ends.push(leave);
    return leave;
  }

  /** Locks the keychain, as a session does that was opened without a password. */
  lockKeychain() {
    const service = ["--session", "--dest", "org.freedesktop.secrets", "--object-path", "/org/freedesktop/secrets"];
    const login = "[objectpath '/org/freedesktop/secrets/collection/login']";
    const locked = ask("gdbus", ["call", ...service, "--method", "org.freedesktop.Secret.Service.Lock", login], { env: this.session.env });
    if (locked === null) throw new Error("the keychain could not be locked");
  }

  /** Keeps a picture of the page for eyes. */
  async picture(page, name) {
    mkdirSync(PICTURES, { recursive: true });
    writeFileSync(join(PICTURES, `${name}.png`), await page.picture());
  }
}

async function openTray(session, ends) {
  const host = start(PYTHON, [join(HERE, "tray_host.py")], { env: session.env, stdio: ["pipe", "pipe", "inherit"] });
  ends.push(() => stop(host));
  const lines = createInterface({ input: host.stdout });
  const next = async () => JSON.parse((await once(lines, "line", { signal: AbortSignal.timeout(10_000) }))[0]);
  await next();
  const send = (line) => {
    const answer = next();
    host.stdin.write(`${line}\n`);
    return answer;
  };
  return {
    /** Waits until the menu has an item that matches, and gives the menu. */
    async shows(words) {
      let menu = null;
      const matches = async () => (menu = await send("menu"))?.items?.some(({ label }) => label.match(words)) && menu;
      return until(`the tray shows ${words}`, matches).catch((error) => {
        throw new Error(`${error.message}; it shows ${JSON.stringify(menu)}`);
      });
    },
    /** Clicks an item as soon as it can be clicked. */
    click: (label) => until(`a click on ${label}`, async () => (await send(`click ${label}`))?.clicked),
  };
}

/** Answers every message with the same few words, and can be told to hold them back. */
async function openUpstream(ends) {
  const seen = [];
  let held = null;
  let release = () => {};
  const server = createHttpServer(async (request, response) => {
    // Headgate asks on its own what models there are; that is no message.
    if (request.method === "GET") return response.writeHead(404).end();
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    seen.push({ url: request.url, headers: request.headers, body: Buffer.concat(chunks).toString() });
    await held;
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify(MESSAGE));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  ends.push(() => {
    release();
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    seen,
    hold: () => {
      held = new Promise((resolve) => {
        release = resolve;
      });
    },
    release: () => release(),
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
