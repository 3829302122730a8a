// A Python of the tests' own with the packages they ask for, made anew only when those have changed.
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { run } from "./run.mjs";

/** The interpreter that has what a requirements file names. */
export async function pythonWith(requirements) {
  const folder = resolve("node_modules/.headgate/python");
  const stamp = join(folder, "requirements.txt");
  const python = join(folder, "bin", "python");
  const wanted = readFileSync(requirements, "utf8");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return python;
  rmSync(folder, { recursive: true, force: true });
  await run("python3", ["-m", "venv", folder]);
  await run(python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements]);
  writeFileSync(stamp, wanted);
  return python;
}
