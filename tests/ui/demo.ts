// Starts the real core with its sandbox, as `headgate demo` does for a newcomer, and stops it again by
// its own process id.
import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";

const binary = process.env.HEADGATE_BIN ?? "target/debug/headgate";

export type Demo = { address: string; link: string; stop(): Promise<void> };

export async function startDemo(): Promise<Demo> {
  const child = spawn(binary, ["demo", "--port", "0"], { stdio: ["ignore", "pipe", "pipe"] });
  const said: string[] = [];
  child.stderr.on("data", (text: Buffer) => said.push(text.toString()));
  try {
    const { address, link } = await linesOf(child, said);
    return { address, link, stop: () => stop(child) };
  } catch (error) {
    await stop(child);
    throw error;
  }
}

function linesOf(child: ChildProcess, said: string[]): Promise<{ address: string; link: string }> {
  return new Promise((resolve, reject) => {
    let address: string | undefined;
    child.once("error", (error) => reject(new Error(`${binary} could not be started: ${error.message}`)));
    child.once("exit", (code) => reject(new Error(`${binary} demo ended early (${code}):\n${said.join("")}`)));
    if (!child.stdout) return reject(new Error("the demo has no output to read"));
    createInterface(child.stdout).on("line", (line) => {
      said.push(`${line}\n`);
      address ??= /listening on (http:\/\/\S+)/.exec(line)?.[1];
      const link = /(http:\/\/\S+#ticket=\S+)/.exec(line)?.[1];
      if (link && address) resolve({ address, link });
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
