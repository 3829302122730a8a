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

/** Counts how the server with these features is used, and gives the profile. Two release builds and two minutes. */
export async function count(features) {
  const tool = merger();
  const [counts, profile] = [join(folder(), "counts"), join(folder(), "headgate.profdata")];

  say("Building the server that counts");
  const target = join(folder(), "counting");
  await compile(target, features, `-Cprofile-generate=${counts}`);

  say("Counting under load");
  rmSync(counts, { recursive: true, force: true });
  mkdirSync(counts, { recursive: true });
  const counting = join(target, host(), "release", "headgate");
  await run("cargo", ["bench", "--locked", "--bench", "load", "--", "--quick", "--rounds", "1", "--headgate", counting]);
  await run(tool, ["merge", "--sparse", "-o", profile, counts]);
  return profile;
}

/** Builds the server alone by a profile, and gives its path. */
export async function tunedServer(profile) {
  const target = join(folder(), "tuned");
  await compile(target, [], `-Cprofile-use=${profile}`);
  return join(target, host(), "release", "headgate");
}

/** The environment in which Cargo builds by a profile. */
export const tuned = (profile) => flagged(`-Cprofile-use=${profile}`);

/** The target that this machine is, as Cargo calls it. */
export function host() {
  const found = /^host: (.+)$/m.exec(ask("rustc", ["-vV"]) ?? "")?.[1];
  if (!found) throw new Trouble("rustc does not say for which machine it builds.");
  return found;
}

/** LLVM's tool of the very compiler that builds; rustup adds it. */
export function merger() {
  const sysroot = ask("rustc", ["--print", "sysroot"]);
  const tool = join(sysroot ?? "", "lib", "rustlib", host(), "bin", "llvm-profdata");
  if (existsSync(tool)) return tool;
  say("Adding LLVM's tools to the toolchain");
  ask("rustup", ["component", "add", "llvm-tools"]);
  if (!existsSync(tool)) {
    const without = "or build packages without counting: npm run build -- --untuned";
    throw new Trouble(`There is no ${tool}: add the component llvm-tools to the Rust toolchain, ${without}`);
  }
  return tool;
}

const folder = () => join(dirname(dirname(binary("headgate", true))), "tune");

/** With one more flag for the compiler, which may have a blank in it. */
function flagged(flag) {
  const before = env.CARGO_ENCODED_RUSTFLAGS?.split("\x1f") ?? env.RUSTFLAGS?.split(/\s+/) ?? [];
  return { ...env, CARGO_ENCODED_RUSTFLAGS: [...before, flag].filter(Boolean).join("\x1f") };
}

/** For the host by name: flags of a named target do not reach build scripts, which have nothing to count. */
async function compile(target, features, flag) {
  const args = ["build", "--locked", "--release", "--bin", "headgate", "--target", host(), "--target-dir", target];
  if (features.length) args.push("--features", features.join(","));
  await run("cargo", args, { env: flagged(flag) });
}
