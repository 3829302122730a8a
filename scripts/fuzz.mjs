// `npm run fuzz`: each target of `fuzz/` for so many minutes, one after the other, at the lowest priority:
// `npm run fuzz -- --minutes 10 sse splice`. What breaks a claim is kept in `fuzz/artifacts`; what taught the
// fuzzer something new stays in `fuzz/target/corpus` for the next run.
//
// It wants cargo-fuzz (`cargo install cargo-fuzz`) and a C++ compiler. The stable toolchain is enough, told to
// let cargo-fuzz's flags pass. There is no unsafe code here, so no sanitizer is needed.
import { existsSync, mkdirSync } from "node:fs";
import { constants, setPriority } from "node:os";
import { env } from "node:process";
import { run } from "./parts/run.mjs";
import { main, say, Trouble } from "./parts/say.mjs";
import { toRoot } from "./setup.mjs";

const ALL = ["sse", "splice", "head", "verdicts", "answer"];

main(async () => {
  toRoot();
  const args = process.argv.slice(2);
  const at = args.indexOf("--minutes");
  const minutes = at < 0 ? 1 : Number(args.splice(at, 2)[1]);
  const targets = args.length ? args : ALL;
  const unknown = targets.find((target) => !ALL.includes(target));
  if (unknown) throw new Trouble(`There is no fuzz target ${unknown}; there are ${ALL.join(", ")}.`);
  if (!(minutes > 0)) throw new Trouble("--minutes wants a number above 0.");
  setPriority(constants.priority.PRIORITY_LOW);
  for (const target of targets) {
    const corpus = `fuzz/target/corpus/${target}`;
    mkdirSync(corpus, { recursive: true });
    say(`${target}, for ${minutes} min`);
    const known = [`fuzz/seeds/${target}`, `fuzz/corpus/${target}`].filter((folder) => existsSync(folder));
    const limits = [`-max_total_time=${Math.ceil(minutes * 60)}`, "-max_len=4096"];
    await run("cargo", ["fuzz", "run", "--sanitizer", "none", target, corpus, ...known, "--", ...limits], {
      env: { ...env, RUSTC_BOOTSTRAP: "1" },
    });
  }
});
