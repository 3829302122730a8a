// `npm run build`: the release and its packages, on Linux built for the way the server is used (parts/tuning.mjs), which
// takes three release builds: half an hour or more on two cores. `-- --untuned` makes do with one. Whatever else is said
// goes to `tauri build`.
import { WINDOW_FEATURES } from "./parts/cargo.mjs";
import { run } from "./parts/run.mjs";
import { main, say } from "./parts/say.mjs";
import { canTune, host, profile, tuned } from "./parts/tuning.mjs";
import { setUp } from "./setup.mjs";

main(async () => {
  const said = process.argv.slice(2);
  const args = said.filter((arg) => arg !== "--untuned");
  // Who names a target builds for another machine, where nothing can be counted, and a debug build is not for speed.
  const isPlain = !args.some((arg) => /^(-d|--debug|-t|--target)(=|$)/.test(arg));
  const isTuned = canTune && isPlain && args.length === said.length;
  await setUp(["core", "window"]);
  if (!isTuned) {
    if (!canTune) say("Packages are not tuned here: the load bench runs on Linux alone");
    return run("npx", ["tauri", "build", ...args]);
  }
  const counted = await profile(WINDOW_FEATURES);
  say("Building the packages by what was counted");
  await run("npx", ["tauri", "build", "--target", host(), ...args], { env: tuned(counted) });
});
