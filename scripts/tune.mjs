// `npm run tune`: the server built for the way it is used (parts/tuning.mjs). Three release builds, so 10 to 30 minutes
// on two cores.
import { main, say, Trouble } from "./parts/say.mjs";
import { canTune, profile, server } from "./parts/tuning.mjs";
import { setUp } from "./setup.mjs";

main(async () => {
  if (!canTune) throw new Trouble("The load bench, which shows how the server is used, runs on Linux alone.");
  await setUp(["core"]);
  const counted = await profile([]);
  say("Building the server by what was counted");
  say(`It is ${await server(counted)}`);
});
