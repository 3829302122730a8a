// Redraws every icon from the drawings in icons/. Run by hand after a drawing has changed
// (`node scripts/icons.mjs`); the results are committed, so no build depends on it.
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const KEPT = ["32x32.png", "128x128.png", "128x128@2x.png", "icon.png", "icon.icns", "icon.ico"];
const TRAY_PIXELS = 64;

const scratch = mkdtempSync(join(tmpdir(), "headgate-icons-"));
const draw = (drawing, ...options) =>
  execFileSync("npx", ["tauri", "icon", drawing, "-o", scratch, ...options], { stdio: "inherit" });

try {
  draw("icons/headgate.svg");
  // What is left behind is for phones and the Windows store.
  for (const name of KEPT) copyFileSync(join(scratch, name), join("icons", name));
  for (const state of ["running", "paused", "problem"]) {
    draw(`icons/tray/${state}.svg`, "--png", String(TRAY_PIXELS));
    copyFileSync(join(scratch, `${TRAY_PIXELS}x${TRAY_PIXELS}.png`), `icons/tray/${state}.png`);
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
