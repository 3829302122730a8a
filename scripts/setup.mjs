// Everything that has to be there before Headgate can be built, and nothing that is there already:
// `npm run setup`, and the first step of `npm start` and `npm test`. Builds the page, not the program.
import { chdir } from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";
import { debianPackages, PACKAGES } from "./parts/debian.mjs";
import { npmPackages, page } from "./parts/page.mjs";
import { main, Trouble } from "./parts/say.mjs";
import { checkTools } from "./parts/tools.mjs";

/** All scripts work from the root of the repository, wherever they were called. */
export const toRoot = () => chdir(fileURLToPath(new URL("..", import.meta.url)));

/** Sets up for these purposes (see parts/debian.mjs). */
export async function setUp(sets) {
  toRoot();
  checkTools();
  await debianPackages(sets);
  await npmPackages();
  await page();
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  main(async () => {
    const sets = process.argv.slice(2);
    const unknown = sets.find((set) => !PACKAGES[set]);
    if (unknown) throw new Trouble(`There is no set called ${unknown}. There are: ${Object.keys(PACKAGES).join(", ")}.`);
    await setUp(sets.length ? sets : Object.keys(PACKAGES));
  });
}
