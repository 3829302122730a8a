// `npm start`: sets up whatever is missing, builds, and runs the main job: the window where there is a
// screen, otherwise the headless server with the page's address printed. `npm start -- --headless` asks for
// the server; all other arguments go to the program.
//
// The server is the release build: it is small enough, and it is the one that checks from outside use. The
// window is a debug build, because Tauri costs the first start too much otherwise: cold on two idle cores
// 3 minutes against 8, with nothing of ours in it. `npm run build` makes the release and its packages.
import { env, platform } from "node:process";
import { build, WINDOW_FEATURES } from "./parts/cargo.mjs";
import { start } from "./parts/run.mjs";
import { main, say } from "./parts/say.mjs";
import { setUp } from "./setup.mjs";

const hasScreen = platform !== "linux" || Boolean(env.DISPLAY || env.WAYLAND_DISPLAY);

main(async () => {
  const args = process.argv.slice(2);
  const headless = args.includes("--headless") || !hasScreen;
  const rest = args.filter((arg) => arg !== "--headless");

  await setUp(headless ? ["core"] : ["core", "window"]);
  say(headless ? "Building the server" : "Building the window");
  const program = headless
    ? await build("headgate", { release: true })
    : await build("headgate-desktop", { features: WINDOW_FEATURES });

  if (headless && !args.includes("--headless")) say("There is no screen here, so this is the server; the page opens in any browser");
  const { code, error } = await start(program, headless ? ["serve", "--dashboard", ...rest] : rest).ended;
  if (error) throw error;
  return code;
});
