// A desktop session of a test's own: a screen, a bus, an open keychain and folders nobody else uses. What a
// test does there reaches neither the person's session nor another test's, and ends with it.
import { mkdtempSync, mkdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import { start, stop } from "./run.mjs";

const PASSWORD = "a password that guards nothing";
const LIMIT_MS = 15_000;

/** Opens a session; `close` ends all of its programs by pid and removes its folders. */
export async function openSession({ screen = false, keychain = false } = {}) {
  const home = mkdtempSync(join(tmpdir(), "headgate-session-"));
  const programs = [];
  // A session must not find its way back to the one that started it.
  const { DISPLAY, WAYLAND_DISPLAY, DBUS_SESSION_BUS_ADDRESS, ...inherited } = process.env;
  const env = { ...inherited, HEADGATE_TEST_HOME: home };
  for (const [name, folder] of Object.entries({ XDG_RUNTIME_DIR: "run", XDG_DATA_HOME: "data", XDG_CONFIG_HOME: "config", XDG_CACHE_HOME: "cache" })) {
    env[name] = join(home, folder);
    mkdirSync(env[name], { mode: 0o700 });
  }
  const session = { env, home, close, unlock };

  try {
    // dbus-daemon itself, not dbus-run-session: this way every program of the session is a child with a known pid.
    const bus = launch("dbus-daemon", ["--session", "--nofork", "--print-address=3"], { stdio: ["ignore", "ignore", "ignore", "pipe"] });
    env.DBUS_SESSION_BUS_ADDRESS = await firstLine(bus, "the bus");
    if (screen) await openScreen();
    if (keychain) await openKeychain();
  } catch (error) {
    await close();
    throw error;
  }
  return session;

  function launch(command, args, options) {
    const program = start(command, args, { env, ...options });
    programs.push(program);
    return program;
  }

  async function openScreen() {
    // Xvfb picks a free number by itself and tells it: no race for one.
    const size = "1280x800x24";
    const server = launch("Xvfb", ["-displayfd", "3", "-screen", "0", size, "-nolisten", "tcp"], { stdio: ["ignore", "ignore", "ignore", "pipe"] });
    env.DISPLAY = `:${await firstLine(server, "the screen")}`;
    Object.assign(env, { GDK_BACKEND: "x11", NO_AT_BRIDGE: "1", LIBGL_ALWAYS_SOFTWARE: "1", XDG_CURRENT_DESKTOP: "GNOME" });
    launch("openbox", [], { stdio: "ignore" });
  }

  async function openKeychain() {
    const ring = launch("gnome-keyring-daemon", ["--foreground", "--unlock", "--components=secrets"], { stdio: ["pipe", "ignore", "ignore"] });
    ring.stdin.end(PASSWORD);
    const open = await start("gdbus", ["wait", "--session", "--timeout", "15", "org.freedesktop.secrets"], { env }).ended;
    if (open.code !== 0) throw new Error("the keychain did not start");
  }

  /** Opens a keychain that was locked, for which only its own prompt is meant: by a new daemon on the same files. */
  async function unlock() {
    await stop(programs.pop());
    await openKeychain();
  }

  async function close() {
    for (const program of programs.reverse()) await stop(program);
    // WebKit's helpers may still be writing their last.
    rmSync(home, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
}

async function firstLine(program, what) {
  const stream = program.stdio[3];
  const failed = program.ended.then(({ error }) => {
    throw new Error(`${what} did not start: ${error?.message ?? "it ended at once"}`);
  });
  const [chunk] = await Promise.race([once(stream, "data", { signal: AbortSignal.timeout(LIMIT_MS) }), failed]);
  // Nobody reads on; a full pipe must not stop the program.
  stream.resume();
  return String(chunk).split("\n")[0];
}
