// Drives the page in the window as WebKitGTK's own driver allows, over plain HTTP. No client library: the
// journeys need a dozen of its calls.
import { createServer } from "node:net";
import { setTimeout as rest } from "node:timers/promises";
import { start, stop } from "../../scripts/parts/run.mjs";

const LIMIT_MS = 20_000;
const ELEMENT = "element-6066-11e4-a52e-4f735466cecf";

/** Asks again and again until there is an answer, for what has no event to wait for: other programs. */
export async function until(what, ask, limit = LIMIT_MS) {
  const end = performance.now() + limit;
  let last;
  for (;;) {
    try {
      const answer = await ask();
      if (answer) return answer;
    } catch (error) {
      last = error;
    }
    if (performance.now() > end) throw new Error(`${what}: not within ${limit} ms${last ? `; ${last.message}` : ""}`);
    await rest(40);
  }
}

/** A port that nobody has at this moment. */
export async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Starts the program under a driver of its own: one driver has one session. */
export async function openPage(session, binary, args, env = {}) {
  const port = await freePort();
  const driver = start("WebKitWebDriver", [`--port=${port}`], {
    env: { ...session.env, ...env, TAURI_AUTOMATION: "true", TAURI_WEBVIEW_AUTOMATION: "true" },
    stdio: "inherit",
  });
  const call = async (method, path, body) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(LIMIT_MS),
    });
    const { value } = await response.json();
    if (!response.ok) throw new Error(`${path}: ${value?.error}: ${value?.message}`);
    return value;
  };
  try {
    await until("the driver", async () => (await call("GET", "/status")) !== undefined);
    const options = { "webkitgtk:browserOptions": { binary, args } };
    const { sessionId } = await call("POST", "/session", { capabilities: { alwaysMatch: options } });
    return new Page((method, path, body) => call(method, `/session/${sessionId}${path}`, body), driver);
  } catch (error) {
    await stop(driver);
    throw error;
  }
}

/** The page in the window. */
class Page {
  constructor(call, driver) {
    this.call = call;
    this.driver = driver;
  }

  /** Runs a function body in the page and gives what it returns. */
  run = (script, ...args) => this.call("POST", "/execute/sync", { script, args });

  /** Everything that can be read on the page. */
  text = () => this.run("return document.body.innerText");

  /** Waits until the page says this. */
  async says(words) {
    const seen = () => this.text().then((text) => (text.match(words) ? text : null));
    return until(`the page says ${words}`, seen).catch(async (error) => {
      throw new Error(`${error.message}; it says:\n${await this.text()}`);
    });
  }

  /** Waits for the first visible element that the XPath finds. */
  find = (xpath) =>
    until(`an element ${xpath}`, async () => {
      const found = await this.call("POST", "/elements", { using: "xpath", value: xpath });
      for (const each of found) {
        const id = each[ELEMENT];
        if (await this.call("GET", `/element/${id}/displayed`)) return id;
      }
      return null;
    });

  /** Clicks a button or a link by its words. */
  async click(words) {
    const xpath = `//*[self::button or self::a or @role="button"][contains(normalize-space(.), "${words}") or @aria-label="${words}"]`;
    await this.call("POST", `/element/${await this.find(xpath)}/click`, {});
  }

  /** Clicks what the XPath finds. */
  async press(xpath) {
    await this.call("POST", `/element/${await this.find(xpath)}/click`, {});
  }

  /** Types into the field of this label. */
  async fill(label, value) {
    const xpath = `//*[self::input or self::textarea][@aria-label="${label}" or @id=//label[contains(normalize-space(.), "${label}")]/@for or ancestor::label[contains(normalize-space(.), "${label}")]]`;
    const id = await this.find(xpath);
    await this.call("POST", `/element/${id}/clear`, {});
    await this.call("POST", `/element/${id}/value`, { text: value });
  }

  /** Chooses from the list of this label. */
  async choose(label, value) {
    const xpath = `//select[@aria-label="${label}" or @id=//label[contains(normalize-space(.), "${label}")]/@for or ancestor::label[contains(normalize-space(.), "${label}")]]/option[@value="${value}"]`;
    await this.call("POST", `/element/${await this.find(xpath)}/click`, {});
  }

  /** A PNG of the page. What was drawn last may be older than what was said last, so it waits for two frames. */
  async picture() {
    const drawn = "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => done()))";
    await this.call("POST", "/execute/async", { script: drawn, args: [] });
    return Buffer.from(await this.call("GET", "/screenshot"), "base64");
  }

  /** Ends the session, and with it the program. */
  async close() {
    await this.call("DELETE", "").catch(() => {});
    await stop(this.driver);
  }
}
