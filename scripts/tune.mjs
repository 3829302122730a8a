// `npm run tune`: the server built for the way it is used. A build that counts which ways its code takes is driven
// by the load bench, and the next build lays the code out by what was counted. What it does is the same to the
// byte; docs/PERFORMANCE.md has what it saves. Three release builds, so 10 to 30 minutes on two cores.
//
// It wants LLVM's tools of the very compiler that builds; rustup adds them.
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { env } from "node:process";
import { binary } from "./parts/cargo.mjs";
import { ask, run } from "./parts/run.mjs";
import { main, say, Trouble } from "./parts/say.mjs";
import { setUp } from "./setup.mjs";

main(async () => {
  await setUp(["core"]);
  const folder = join(dirname(dirname(binary("headgate", true))), "tune");
  const [counts, profile] = [join(folder, "counts"), join(folder, "headgate.profdata")];
  const merger = await profdata();

  say("Building the server that counts");
  const counting = await build(join(folder, "counting"), `-Cprofile-generate=${counts}`);

  say("Counting under load");
  rmSync(counts, { recursive: true, force: true });
  mkdirSync(counts, { recursive: true });
  await run("cargo", ["bench", "--locked", "--bench", "load", "--", "--quick", "--rounds", "1", "--headgate", counting]);
  await run(merger, ["merge", "--sparse", "-o", profile, counts]);

  say("Building the server by what was counted");
  const tuned = await build(join(folder, "tuned"), `-Cprofile-use=${profile}`);
  say(`It is ${tuned}`);
});

/** For the host by name: flags of a named target do not reach build scripts, which have nothing to count. */
async function build(target, flags) {
  const args = ["build", "--locked", "--release", "--bin", "headgate", "--target", host(), "--target-dir", target];
  await run("cargo", args, { env: { ...env, RUSTFLAGS: `${env.RUSTFLAGS ?? ""} ${flags}`.trim() } });
  return join(target, host(), "release", process.platform === "win32" ? "headgate.exe" : "headgate");
}

function host() {
  const found = /^host: (.+)$/m.exec(ask("rustc", ["-vV"]) ?? "")?.[1];
  if (!found) throw new Trouble("rustc does not say for which machine it builds.");
  return found;
}

async function profdata() {
  const sysroot = ask("rustc", ["--print", "sysroot"])?.trim();
  const tool = join(sysroot ?? "", "lib", "rustlib", host(), "bin", "llvm-profdata");
  const found = () => [tool, `${tool}.exe`].find((path) => existsSync(path));
  if (found()) return found();
  say("Adding LLVM's tools to the toolchain");
  await run("rustup", ["component", "add", "llvm-tools"]);
  if (!found()) throw new Trouble(`There is no ${tool}; add the component llvm-tools to the Rust toolchain.`);
  return found();
}
