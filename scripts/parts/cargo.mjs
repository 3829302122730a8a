// Cargo's builds of the two doors, and where it puts them.
import { join } from "node:path";
import { ask, run } from "./run.mjs";
import { Trouble } from "./say.mjs";

/** Builds one binary with Cargo's own progress on the terminal and gives its path. */
export async function build(bin, { release = false, features = [] } = {}) {
  const args = ["build", "--locked", "--bin", bin];
  if (release) args.push("--release");
  if (features.length) args.push("--features", features.join(","));
  await run("cargo", args);
  return binary(bin, release);
}

/** Where Cargo puts a binary, whatever CARGO_TARGET_DIR or a config file say. */
export function binary(bin, release = false) {
  const metadata = ask("cargo", ["metadata", "--no-deps", "--format-version", "1"]);
  if (metadata === null) throw new Trouble("cargo metadata failed: is Cargo.toml as it should be?");
  const name = process.platform === "win32" ? `${bin}.exe` : bin;
  return join(JSON.parse(metadata).target_directory, release ? "release" : "debug", name);
}

/** The window with the built page inside, as `tauri build --debug` would make it. */
export const WINDOW_FEATURES = ["desktop", "custom-protocol"];
