// What a person reads while the scripts work: few lines, each a sentence, and how long things took.

const colours = process.stdout.isTTY && !process.env.NO_COLOR;
const paint = (code, text) => (colours ? `\x1b[${code}m${text}\x1b[0m` : text);

export const bold = (text) => paint(1, text);
export const green = (text) => paint(32, text);
export const red = (text) => paint(31, text);
export const dim = (text) => paint(2, text);

/** Tells that a piece of work begins. */
export const say = (text) => console.log(`${bold("▸")} ${text}`);

/** `0.4 s`, `12 s`, `3 min 05 s`. */
export function length(ms) {
  if (ms < 9_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, "0")} s`;
}

/** What a person can mend: shown as a sentence, without a stack. */
export class Trouble extends Error {}

/** Runs a script's main function; trouble becomes a sentence on stderr and exit code 1. */
export async function main(work) {
  try {
    process.exitCode = (await work()) ?? 0;
  } catch (error) {
    console.error(error instanceof Trouble ? `\n${red("✕")} ${error.message}` : error);
    process.exitCode = 1;
  }
}
