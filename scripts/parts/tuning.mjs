// A build by a profile: one that counts which ways its code takes is driven by the load bench, and the next one lays
// the code out by what was counted. What it does is the same to the byte; docs/PERFORMANCE.md has what it saves.
//
// The two have to be of the same features and for the same named target, or their functions are not the same ones.
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { env } from "node:process";
import { binary } from "./cargo.mjs";
import { ask, run } from "./run.mjs";
import { say, Trouble } from "./say.mjs";

/** The load bench reads `/proc`, so it is Linux alone that can be counted on. */
export const canTune = process.platform === "linux";

/** Counts how the server with these features is used, and gives the profile. A release build and two minutes. */
export async function profile(features) {
  const merger = await profdata();
  const [counts, merged] = [join(folder(), "counts"), join(folder(), "headgate.profdata")];

  say("Building the server that counts");
  const counting = join(folder(), "counting");
  await compile(counting, features, `-Cprofile-generate=${counts}`);

  say("Counting under load");
  rmSync(counts, { recursive: true, force: true });
  mkdirSync(counts, { recursive: true });
  const server = join(counting, host(), "release", "headgate");
  await run("cargo", ["bench", "--locked", "--bench", "load", "--", "--quick", "--rounds", "1", "--headgate", server]);
  await run(merger, ["merge", "--sparse", "-o", merged, counts]);
  return merged;
}

/** Builds the server alone by a profile. */
export async function server(profile) {
  const target = join(folder(), "tuned");
  await compile(target, [], by(profile));
  return join(target, host(), "release", "headgate");
}

/** The environment in which Cargo builds by a profile. */
export const tuned = (profile) => ({ ...env, RUSTFLAGS: flags(by(profile)) });

/** The target that this machine is, as Cargo calls it. */
export function host() {
  const found = /^host: (.+)$/m.exec(ask("rustc", ["-vV"]) ?? "")?.[1];
  if (!found) throw new Trouble("rustc does not say for which machine it builds.");
  return found;
}

const by = (profile) => `-Cprofile-use=${profile}`;
const flags = (more) => `${env.RUSTFLAGS ?? ""} ${more}`.trim();
const folder = () => join(dirname(dirname(binary("headgate", true))), "tune");

/** For the host by name: flags of a named target do not reach build scripts, which have nothing to count. */
async function compile(target, features, more) {
  const args = ["build", "--locked", "--release", "--bin", "headgate", "--target", host(), "--target-dir", target];
  if (features.length) args.push("--features", features.join(","));
  await run("cargo", args, { env: { ...env, RUSTFLAGS: flags(more) } });
}

/** LLVM's tool of the very compiler that builds; rustup adds it. */
async function profdata() {
  const sysroot = ask("rustc", ["--print", "sysroot"])?.trim();
  const tool = join(sysroot ?? "", "lib", "rustlib", host(), "bin", "llvm-profdata");
  if (existsSync(tool)) return tool;
  say("Adding LLVM's tools to the toolchain");
  await run("rustup", ["component", "add", "llvm-tools"]);
  if (!existsSync(tool)) throw new Trouble(`There is no ${tool}; add the component llvm-tools to the Rust toolchain.`);
  return tool;
}
