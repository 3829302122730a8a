// Puts the headless door beside the window into the deb and the rpm: Tauri bundles only its own binary and
// the files that tauri.conf.json names, at a path that must not depend on CARGO_TARGET_DIR.
import { copyFileSync, mkdirSync } from "node:fs";
import { build } from "./parts/cargo.mjs";
import { main } from "./parts/say.mjs";
import { toRoot } from "./setup.mjs";

main(async () => {
  toRoot();
  const headgate = await build("headgate", { release: true });
  mkdirSync("gen/bundle", { recursive: true });
  copyFileSync(headgate, "gen/bundle/headgate");
});
