// `npm run build`: the release and its packages, on Linux built for the way the server is used (parts/tuning.mjs), which
// takes three release builds: half an hour or more on two cores. `-- --untuned` makes do with one. Whatever else is said
// goes to `tauri build`.
import { dirname, join } from "node:path";
import { env, execPath } from "node:process";
import { binary } from "./parts/cargo.mjs";
import { run } from "./parts/run.mjs";
import { main, say } from "./parts/say.mjs";
import { canTune, count, host, merger, tuned } from "./parts/tuning.mjs";
import { setUp } from "./setup.mjs";

/** What `tauri build` gives to Cargo, by the same names: with others our functions would be other ones. */
const FEATURES = ["desktop", "tauri/custom-protocol"];
/** What makes the build another one than the one that is counted. */
const OTHER = /^(-[a-z]*[dtfcr]|--(debug|target|features|config|runner)(=|$)|--$)/;

main(async () => {
  const said = process.argv.slice(2);
  const args = said.filter((arg) => arg !== "--untuned");
  if (args.some((arg) => /^(-h|--help|-V|--version)$/.test(arg))) return tauri(args);

  const isSame = !env.CARGO_BUILD_TARGET && !args.some((arg) => OTHER.test(arg));
  const isTuned = canTune && isSame && args.length === said.length;
  if (isTuned) merger();
  await setUp(["core", "window"]);
  const release = dirname(binary("headgate", true));
  if (!isTuned) {
    say("Building packages that are not tuned");
    await tauri(args);
    // Where they lie then, whoever has said something else knows best.
    if (isSame) say(`They are in ${join(release, "bundle")}`);
    return;
  }
  const profile = await count(FEATURES);
  say("Building packages by what was counted");
  await tauri(["--target", host(), ...args], { env: tuned(profile) });
  say(`They are in ${join(dirname(release), host(), "release", "bundle")}`);
});

function tauri(args, options) {
  return run(execPath, ["node_modules/@tauri-apps/cli/tauri.js", "build", ...args], options);
}
