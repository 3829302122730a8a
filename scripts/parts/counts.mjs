// Reads the counts out of what test runners print, so that one line at the end can sum them up.

const number = (text) => Number.parseInt(text ?? "0", 10);
const find = (line, word) => number(new RegExp(`(\\d+) ${word}`).exec(line)?.[1]);
const all = (line) => ({ passed: find(line, "passed"), failed: find(line, "failed"), skipped: find(line, "skipped") });

// Each: which line, and what it says. A runner that prints several (vitest's files, then its tests) is
// matched by the one that counts tests.
const RUNNERS = {
  nextest: [/^\s*Summary \[.*\] .*tests? run: /, all],
  "cargo test": [/^test result: /, (line) => ({ ...all(line), skipped: find(line, "ignored") })],
  vitest: [/^\s*Tests {2}.*\(\d+\)$/, all],
  "node --test": [/^(?:#|ℹ) (pass|fail|cancelled|skipped) \d+$/, (line) => {
    const [, word, count] = line.split(" ");
    const name = { pass: "passed", skipped: "skipped" }[word] ?? "failed";
    return { [name]: number(count) };
  }],
  playwright: [/^ {2}\d+ (passed|failed|skipped|interrupted|did not run)( \(.*\))?$/, all],
  unittest: [/^Ran \d+ tests? in /, (line) => ({ passed: number(/\d+/.exec(line)[0]) })],
  "unittest's verdict": [/^(OK|FAILED) \(.*\)$/, (line) => {
    const of = (word) => number(new RegExp(`${word}=(\\d+)`).exec(line)?.[1]);
    const [failed, skipped] = [of("failures") + of("errors"), of("skipped")];
    return { failed, skipped, passed: -failed - skipped };
  }],
};

/** Sums the counts in a runner's output; `null` where it has none. */
export function countsIn(output) {
  const sum = { passed: 0, failed: 0, skipped: 0 };
  let found = false;
  for (const line of output.replace(/\x1b\[[0-9;]*m/g, "").split(/\r?\n/)) {
    for (const [pattern, read] of Object.values(RUNNERS)) {
      if (!pattern.test(line)) continue;
      found = true;
      const counts = read(line);
      for (const word of Object.keys(sum)) sum[word] += counts[word] ?? 0;
    }
  }
  return found ? sum : null;
}
