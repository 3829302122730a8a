// `npm test`: sets up, then every check, what fails soonest first. A failed step does not stop the others,
// so one run tells everything. `--list` shows the steps, `--only fmt,rust` runs some of them.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { env } from "node:process";
import { build, WINDOW_FEATURES } from "./parts/cargo.mjs";
import { countsIn } from "./parts/counts.mjs";
import { ask, isStopped, start } from "./parts/run.mjs";
import { bold, dim, green, length, main, red, say, Trouble } from "./parts/say.mjs";
import { openSession } from "./parts/session.mjs";
import { setUp } from "./setup.mjs";

const DENY = ["--", "-D", "warnings"];

// name: [what it needs, what it does with `to` (runs a program, keeps its output)]
const STEPS = {
  format: [["core"], (to) => to("cargo", ["fmt", "--check"])],
  types: [[], (to) => to("npm", ["run", "--silent", "ui:check"])],
  page: [[], (to) => to("npm", ["run", "--silent", "ui:test"])],
  lint: [["core"], (to) => to("cargo", ["clippy", "--locked", "--all-targets", ...DENY])],
  rust: [["core", "session"], rust],
  contract: [["core"], (to) => to("node", ["scripts/contract.mjs", "--check"])],
  sdk: [["core", "python"], sdk],
  browser: [["core", "browser"], browser],
  "lint-window": [["core", "window"], (to) => to("cargo", ["clippy", "--locked", "--lib", "--bins", "--features", WINDOW_FEATURES.join(), ...DENY])],
  desktop: [["core", "window", "session", "journeys"], desktop],
};

main(async () => {
  // What a person has set for a Headgate of their own is no business of the tests; HEADGATE_CLAUDE is meant for them.
  for (const name of Object.keys(env)) if (name.startsWith("HEADGATE_") && name !== "HEADGATE_CLAUDE") delete env[name];
  const names = chosen(process.argv.slice(2));
  if (!names) return 0;
  const began = performance.now();
  const sets = [...new Set(names.flatMap((name) => STEPS[name][0]))];
  say(`Set-up for ${sets.join(", ") || "the page"}`);
  await setUp(sets);

  const results = [{ name: "set-up", passed: 0, failed: 0, skipped: 0, ms: performance.now() - began }];
  for (const name of names) results.push(await step(name));
  return summary(results, performance.now() - began);
});

function chosen(args) {
  if (args.includes("--list")) {
    console.log(Object.keys(STEPS).join("\n"));
    return null;
  }
  const only = args.indexOf("--only");
  if (only === -1) return Object.keys(STEPS);
  const names = (args[only + 1] ?? "").split(",");
  const unknown = names.find((name) => !STEPS[name]);
  if (unknown !== undefined) throw new Trouble(`There is no step "${unknown}". There are: ${Object.keys(STEPS).join(", ")}.`);
  return names;
}

/** Runs one step. A step whose tool counts no tests is one check. */
async function step(name) {
  console.log(`\n${bold(`── ${name} ──`)}`);
  const began = performance.now();
  let output = "";
  const to = async (command, args, options) => {
    const ended = await shown(command, args, options, (text) => (output += text));
    if (ended.code !== 0) throw new Trouble(`${[command, ...args].slice(0, 4).join(" ")}… ended with ${ended.signal ?? ended.code}`);
  };
  let failure = null;
  try {
    await STEPS[name][1](to);
  } catch (error) {
    if (isStopped()) throw error;
    failure = error;
    console.error(`${red("✕")} ${name}: ${error instanceof Trouble ? error.message : error.stack}`);
  }
  const counts = countsIn(output) ?? { passed: failure ? 0 : 1, failed: 0, skipped: 0 };
  if (failure && counts.failed === 0) counts.failed = 1;
  return { name, ...counts, ms: performance.now() - began };
}

/** Runs a program, shows what it prints as it comes, and hands it to `keep`. */
async function shown(command, args, options, keep) {
  const colour = process.stdout.isTTY ? { FORCE_COLOR: "1", CARGO_TERM_COLOR: "always" } : {};
  const child = start(command, args, { ...options, env: { ...(options?.env ?? env), ...colour }, stdio: ["ignore", "pipe", "pipe"] });
  for (const [from, onto] of [[child.stdout, process.stdout], [child.stderr, process.stderr]]) {
    from.on("data", (chunk) => {
      onto.write(chunk);
      keep(chunk.toString());
    });
  }
  return child.ended;
}

async function rust(to) {
  // One test proves that the keychain is a real one; it needs one.
  const session = await openSession({ keychain: true });
  try {
    const nextest = ask("cargo", ["nextest", "--version"]) !== null;
    await to("cargo", nextest ? ["nextest", "run", "--locked", "--no-fail-fast"] : ["test", "--locked", "--no-fail-fast"], { env: session.env });
  } finally {
    await session.close();
  }
}

async function sdk(to) {
  const HEADGATE_BIN = await build("headgate");
  await to("node", ["--test", "--test-reporter=spec", ...testsIn("tests/sdk")], { env: { ...env, HEADGATE_BIN } });
}

async function browser(to) {
  await to("npm", ["run", "--silent", "ui:journeys"], { env: { ...env, HEADGATE_BIN: await build("headgate") } });
}

async function desktop(to) {
  const HEADGATE_DESKTOP = await build("headgate-desktop", { features: WINDOW_FEATURES });
  const HEADGATE_BIN = await build("headgate");
  // One file at a time: each has a screen, and two cores draw one at a time well enough.
  await to("node", ["--test", "--test-reporter=spec", "--test-concurrency=1", ...testsIn("tests/desktop")], { env: { ...env, HEADGATE_DESKTOP, HEADGATE_BIN } });
}

// node 20 knows no patterns.
function testsIn(folder) {
  return readdirSync(folder).filter((name) => name.endsWith(".test.mjs")).sort().map((name) => join(folder, name));
}

function summary(results, ms) {
  const sum = (word) => results.reduce((total, result) => total + result[word], 0);
  console.log(`\n${bold("── all ──")}`);
  for (const { name, passed, failed, skipped, ms } of results) {
    const mark = failed ? red("✕") : green("✓");
    const counts = [passed && `${passed} passed`, failed && `${failed} failed`, skipped && `${skipped} skipped`].filter(Boolean);
    console.log(`${mark} ${name.padEnd(12)} ${length(ms).padStart(12)}   ${dim(counts.join(", "))}`);
  }
  console.log(`in ${length(ms)}\n`);
  // The plain closing line that counts in any language; read by CI.
  console.log(`${sum("passed")} passed, ${sum("failed")} failed, ${sum("skipped")} skipped`);
  return sum("failed") ? 1 : 0;
}
