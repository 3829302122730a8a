// npm's packages and the built page, renewed only when what they are made from has changed.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { run } from "./run.mjs";
import { say } from "./say.mjs";

const PACKAGES_STAMP = "node_modules/.headgate/packages";
const PAGE_STAMP = "node_modules/.headgate/page";
const PAGE = "ui/dist/index.html";

/** `npm ci` when the lock file is not the one that node_modules was made from. */
export async function npmPackages() {
  const lock = digest(["package-lock.json"]);
  if (read(PACKAGES_STAMP) === lock) return;
  say("Installing npm packages");
  await run("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"]);
  write(PACKAGES_STAMP, lock);
}

/** Builds the page when a source of it has changed, or somebody else has built another one since. */
export async function page() {
  const sources = digest([...files("ui"), "package-lock.json", "package.json"]);
  const built = () => `${sources} ${existsSync(PAGE) ? digest([PAGE]) : "none"}`;
  if (read(PAGE_STAMP) === built()) return;
  say("Building the page");
  await run("npm", ["run", "--silent", "ui:build"]);
  write(PAGE_STAMP, built());
}

function files(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.name !== "dist" && entry.name !== "node_modules")
    .flatMap((entry) => (entry.isDirectory() ? files(join(folder, entry.name)) : [join(folder, entry.name)]))
    .sort();
}

function digest(paths) {
  const hash = createHash("sha256");
  for (const path of paths) hash.update(path).update("\0").update(readFileSync(path)).update("\0");
  return hash.digest("hex");
}

const read = (path) => (existsSync(path) ? readFileSync(path, "utf8") : null);

function write(path, text) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
