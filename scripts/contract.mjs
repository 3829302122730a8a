// The contract between core and page, made from the code: docs/openapi.json from the Rust types, and the
// TypeScript types from that. `npm run contract` writes both; with --check it only says whether they are
// what is committed.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "./parts/cargo.mjs";
import { ask, run } from "./parts/run.mjs";
import { main, say, Trouble } from "./parts/say.mjs";
import { toRoot } from "./setup.mjs";

const DOCUMENT = "docs/openapi.json";
const TYPES = "ui/src/api/schema.d.ts";

main(async () => {
  toRoot();
  const fresh = mkdtempSync(join(tmpdir(), "headgate-contract-"));
  try {
    const printed = ask(await build("headgate"), ["openapi"]);
    if (printed === null) throw new Trouble("headgate openapi failed.");
    const [document, types] = [join(fresh, "openapi.json"), join(fresh, "schema.d.ts")];
    writeFileSync(document, `${printed}\n`);
    await run("npx", ["--no", "openapi-typescript", document, "-o", types]);
    for (const [made, kept] of [[document, DOCUMENT], [types, TYPES]]) settle(made, kept);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
});

function settle(made, kept) {
  const text = readFileSync(made, "utf8");
  if (!process.argv.includes("--check")) {
    writeFileSync(kept, text);
    return say(`${kept} is written`);
  }
  if (text !== read(kept)) throw new Trouble(`${kept} is not what the code says. Run \`npm run contract\` and commit the change.`);
  say(`${kept} is what the code says`);
}

function read(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}
