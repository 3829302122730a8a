// The toolchains that no script may install for a person: says which is missing or too old, and what to do.
import { readFileSync } from "node:fs";
import { ask } from "./run.mjs";
import { Trouble } from "./say.mjs";

/** Checks Rust and Node against what Cargo.toml and package.json ask for. */
export function checkTools() {
  const rust = /^rust-version = "(.+)"/m.exec(readFileSync("Cargo.toml", "utf8"))[1];
  need("Rust", ask("cargo", ["--version"])?.split(" ")[1], rust, "Get it from https://rustup.rs (rustup update, where you have it).");
  const node = JSON.parse(readFileSync("package.json", "utf8")).engines?.node ?? ">=20.19";
  need("Node", process.versions.node, node.replace(/^>=/, ""), "Get it from https://nodejs.org.");
}

function need(name, here, wanted, next) {
  if (here && !older(here, wanted)) return;
  throw new Trouble(`Headgate is built with ${name} ${wanted} or newer, and this machine has ${here ?? "none"}. ${next}`);
}

function older(here, wanted) {
  const [a, b] = [here, wanted].map((version) => version.split(".").map((part) => Number.parseInt(part, 10)));
  for (let at = 0; at < b.length; at += 1) {
    if (a[at] !== b[at]) return (a[at] ?? 0) < b[at];
  }
  return false;
}
