// Starts what a user starts: `headgate sandbox`, `headgate accounts add`, `headgate serve`, each as a real
// process on a free port with a data folder of its own. Everything it starts ends with the test that
// asked for it. Refuses to look inside: the journeys know the printed lines, HTTP and `--json` alone.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

export const root = resolve(import.meta.dirname, '../..');
const binary = resolve(root, process.env.HEADGATE_BIN ?? 'target/debug/headgate');

if (!existsSync(binary)) {
  throw new Error(`there is no ${binary}; build it with \`cargo build\`, or name another in HEADGATE_BIN`);
}

/// How long anything may take to happen. Only a failing test ever waits so long.
const PATIENCE = 60_000;
/// How long a stopped process may take to end.
const FAREWELL = 10_000;

const running = new Set();
// A test run that is broken off leaves nothing behind.
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

/// A scenario of the sandbox: `{ url, accounts: [{ name, priority, key, url }] }`.
export async function sandbox(t, scenario) {
  const expected = { calm: 1, tools: 1, limits: 2, weather: 2, cuts: 1 }[scenario];
  const process = start(t, ['sandbox', '--scenario', scenario]);
  const url = (await process.line('sandbox on ')).trim();
  const accounts = [];
  while (accounts.length < expected) {
    const [name, priority, key] = (await process.line('account ')).split(' ');
    accounts.push({ name, priority: Number(priority), key, url });
  }
  return { url, accounts };
}

/// `headgate serve` before these accounts, with the words to ask it: `{ url, requests, accounts, run }`.
export async function proxy(t, accounts) {
  const folder = await mkdtemp(join(tmpdir(), 'headgate-sdk-'));
  // Hooks run in the order in which they were made, and the folder has to go last.
  const ends = [];
  t.after(async () => {
    for (const end of ends) await end();
    await rm(folder, { recursive: true });
  });
  // What reaches the upstream is to be what the client sent, and no question of Headgate's own.
  await writeFile(join(folder, 'settings.toml'), '[limits]\nmodels_hours = 0\n');
  const env = { ...process.env, HEADGATE_DATA_DIR: folder, HEADGATE_VAULT: 'file' };
  const run = (args, input) => finish(args, env, input);
  for (const { name, priority, key, url } of accounts) {
    const flags = ['--provider', 'anthropic', '--base-url', url, '--priority', String(priority)];
    await run(['accounts', 'add', name, ...flags, '--key-stdin'], key);
  }
  const server = start({ after: (end) => ends.push(end) }, ['serve', '--port', '0'], env);
  const url = (await server.line('listening on ')).trim();
  return {
    url,
    run,
    accounts: async () => JSON.parse(await run(['accounts', '--json'])),
    /// The records, oldest first, as soon as there are so many and all of them have ended.
    requests: (count) =>
      until(`${count} requests that have ended`, async () => {
        const records = JSON.parse(await run(['requests', '--json', '--limit', '1000']));
        const ended = records.every((record) => record.ending);
        return { holds: records.length >= count && ended, value: records.reverse() };
      }),
  };
}

/// Both at once: the proxy before every account of a scenario.
export async function proxied(t, scenario) {
  const upstream = await sandbox(t, scenario);
  return { upstream, ...(await proxy(t, upstream.accounts)) };
}

/// Asks until it holds. Each asking takes its time, so there is nothing to sleep for.
export async function until(what, ask) {
  const end = Date.now() + PATIENCE;
  for (;;) {
    const { holds, value } = await ask();
    if (holds) return value;
    if (Date.now() > end) throw new Error(`waited for ${what}, and there is ${JSON.stringify(value)}`);
    await new Promise(setImmediate);
  }
}

/// What is promised, unless it takes longer than anybody should wait here.
export async function inTime(what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited for ${what}`)), PATIENCE);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/// A process that lives as long as the test: its lines can be waited for, and it has to stop in order.
function start(t, args, env = process.env) {
  const child = spawn(binary, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  let said = '';
  child.stderr.on('data', (data) => (said += data));
  const ended = new Promise((done, failed) => {
    child.on('error', failed);
    child.on('close', (code, signal) => done({ code, signal }));
  }).finally(() => running.delete(child));
  ended.catch(() => {});
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();

  t.after(async () => {
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), FAREWELL);
    const { code, signal } = await ended;
    clearTimeout(timer);
    if (code !== 0) throw new Error(`headgate ${args[0]} ended with ${signal ?? code}:\n${said}`);
    if (said.includes('panicked')) throw new Error(`headgate ${args[0]} panicked:\n${said}`);
  });
  return {
    /// The rest of the next line that begins so.
    line: (beginning) =>
      inTime(`"${beginning}" from headgate ${args[0]}`, nextLine(lines, beginning)).catch((error) => {
        throw new Error(`${error.message}\n${said}`);
      }),
  };
}

async function nextLine(lines, beginning) {
  for (;;) {
    const { value, done } = await lines.next();
    if (done) throw new Error(`it ended before it said "${beginning}"`);
    if (value.startsWith(beginning)) return value.slice(beginning.length);
  }
}

/// Runs a command to its end and returns what it printed.
function finish(args, env, input = '') {
  return inTime(
    `headgate ${args.join(' ')}`,
    new Promise((done, failed) => {
      const child = spawn(binary, args, { env });
      running.add(child);
      let [out, said] = ['', ''];
      child.stdout.on('data', (data) => (out += data));
      child.stderr.on('data', (data) => (said += data));
      child.on('error', failed);
      child.on('close', (code) => {
        running.delete(child);
        if (code === 0) done(out);
        else failed(new Error(`headgate ${args.join(' ')} ended with ${code}:\n${said}`));
      });
      child.stdin.end(input);
    }),
  );
}
