// Starts other programs and makes sure that none outlives the script: Ctrl-C and a plain `kill` reach
// each child by its pid, and the script waits for it to end.
import { spawn, spawnSync } from "node:child_process";
import { Trouble } from "./say.mjs";

const GRACE_MS = 40_000;
const children = new Set();
let stopped = false;

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => end(signal));

// A signal to npm ends npm and the shell that it runs scripts in, and the shell passes nothing on. What is
// left to notice is that our parent has gone.
const parent = process.ppid;
setInterval(() => process.ppid !== parent && !stopped && end("SIGTERM"), 500).unref();

function end(signal) {
  stopped = true;
  if (children.size === 0) process.exit(128 + (signal === "SIGINT" ? 2 : 15));
  for (const child of children) {
    // A terminal's Ctrl-C has reached the whole foreground group already; a second one would mean "at once".
    if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
    setTimeout(() => child.kill("SIGKILL"), GRACE_MS).unref();
  }
}

/** Whether a person or a system has asked the script to end. */
export const isStopped = () => stopped;

/** Starts a program that `stop` or the script's own end will end. */
export function start(command, args, options = {}) {
  const child = spawn(command, args, { stdio: "inherit", ...options });
  children.add(child);
  child.ended = new Promise((resolve) => {
    child.once("error", (error) => resolve({ code: 127, error }));
    child.once("exit", (code, signal) => resolve({ code: code ?? 1, signal }));
  }).finally(() => children.delete(child));
  return child;
}

/** Ends a program that `start` started and waits for its end. */
export async function stop(child, signal = "SIGTERM") {
  if (child.exitCode === null && child.signalCode === null) child.kill(signal);
  const late = setTimeout(() => child.kill("SIGKILL"), 5_000);
  await child.ended;
  clearTimeout(late);
}

/** Runs a program to its end and gives its exit code. After a signal the script goes no further. */
export async function code(command, args, options) {
  const { code, error } = await start(command, args, options).ended;
  if (stopped) throw new Trouble("Stopped.");
  if (error?.code === "ENOENT") throw new Trouble(`The program ${command} is not on this machine.`);
  return code;
}

/** Runs a program that must succeed. */
export async function run(command, args, options) {
  if ((await code(command, args, options)) !== 0) throw new Trouble(`${[command, ...args].join(" ")} failed.`);
}

/** What a program prints; `null` where it is missing or fails. */
export function ask(command, args, options) {
  const { status, stdout } = spawnSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"], ...options });
  return status === 0 ? stdout.trim() : null;
}
