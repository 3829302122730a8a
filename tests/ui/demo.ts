// Starts the real core with its sandbox, as `headgate demo` does for a newcomer, and stops it again by
// its own process id.
import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";

const binary = process.env.HEADGATE_BIN ?? "target/debug/headgate";

export type Demo = { address: string; link: string; stop(): Promise<void> };

export async function startDemo(): Promise<Demo> {
  const { found, stop } = await start(["demo", "--port", "0"], { address: /listening on (http:\/\/\S+)/, link: /(http:\/\/\S+#ticket=\S+)/ });
  return { ...found, stop };
}

export type Authority = { upstream: string; issuer: string; client: string; stop(): Promise<void> };

/** An upstream, and an authorisation server that agrees to everything. */
export async function startAuthority(): Promise<Authority> {
  const words = { upstream: /sandbox on (\S+)/, issuer: /issuer (\S+)/, client: /client (\S+)/ };
  const { found, stop } = await start(["sandbox", "--sign-ins"], words);
  return { ...found, stop };
}

type Words = Record<string, RegExp>;

/** Starts it, and waits until it has said all of these. */
async function start<W extends Words>(args: string[], words: W): Promise<{ found: Record<keyof W, string>; stop(): Promise<void> }> {
  const child = spawn(binary, args, { stdio: ["ignore", "pipe", "pipe"] });
  const said: string[] = [];
  child.stderr.on("data", (text: Buffer) => said.push(text.toString()));
  try {
    return { found: await heard(child, args, said, words), stop: () => stop(child) };
  } catch (error) {
    await stop(child);
    throw error;
  }
}

function heard<W extends Words>(child: ChildProcess, args: string[], said: string[], words: W): Promise<Record<keyof W, string>> {
  return new Promise((resolve, reject) => {
    const found: Partial<Record<keyof W, string>> = {};
    child.once("error", (error) => reject(new Error(`${binary} could not be started: ${error.message}`)));
    child.once("exit", (code) => reject(new Error(`${binary} ${args.join(" ")} ended early (${code}):\n${said.join("")}`)));
    if (!child.stdout) return reject(new Error("it has no output to read"));
    createInterface(child.stdout).on("line", (line) => {
      said.push(`${line}\n`);
      for (const [name, pattern] of Object.entries(words)) (found as Record<string, string | undefined>)[name] ??= pattern.exec(line)?.[1];
      if (Object.keys(words).every((name) => found[name])) resolve(found as Record<keyof W, string>);
    });
  });
}

function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return Promise.resolve();
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.kill("SIGTERM");
  });
}
