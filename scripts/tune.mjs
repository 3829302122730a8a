// `npm run tune`: the server built for the way it is used (parts/tuning.mjs). Three release builds, so 10 to 30 minutes
// on two cores.
import { main, say, Trouble } from "./parts/say.mjs";
import { canTune, count, merger, tunedServer } from "./parts/tuning.mjs";
import { setUp } from "./setup.mjs";

main(async () => {
  if (process.argv.some((arg) => /^(-h|--help)$/.test(arg))) {
    return say("npm run tune: builds `headgate` by what the load bench counts, and says where it is. It takes no options.");
  }
  if (!canTune) throw new Trouble("Nothing can be counted here: the load bench runs on Linux alone.");
  merger();
  await setUp(["core"]);
  const profile = await count([]);
  say("Building the server by what was counted");
  say(`It is ${await tunedServer(profile)}`);
});
