// The Debian packages that a build needs, installed through apt only where one is missing. On other
// systems it says what to install and leaves the doing to the person.
import { ask, code } from "./run.mjs";
import { say, Trouble } from "./say.mjs";

/** What each purpose needs, and nothing that is only nice to have. */
export const PACKAGES = {
  // SQLite and ring have C inside.
  core: ["gcc", "libc6-dev"],
  // WebKit brings GTK. The tray's library is loaded at run time; its -dev package is for the bundler.
  window: ["libwebkit2gtk-4.1-dev", "libayatana-appindicator3-dev", "pkg-config"],
  // The page in a browser, with a font to draw letters with.
  browser: ["chromium", "fonts-dejavu-core"],
  // A bus and a keychain of the tests' own, and another program that reads what we put there.
  session: ["dbus-daemon", "gnome-keyring", "libglib2.0-bin", "libsecret-tools"],
  // A screen without a screen, its window manager and a hand for the mouse; the window's driver; a tray's host.
  journeys: ["xvfb", "openbox", "xdotool", "x11-utils", "webkit2gtk-driver", "python3-dbus", "python3-gi"],
  // The Python SDK against the proxy, and curl for the bytes.
  python: ["python3-venv", "curl"],
};

const PURPOSE = { window: "the window", core: "the core", browser: "the browser journeys", session: "the keychain tests", journeys: "the desktop journeys", python: "the SDK journeys" };

/** Makes sure that the packages of these sets are there. */
export async function debianPackages(sets) {
  if (process.platform !== "linux") return;
  if (ask("dpkg-query", ["--version"]) === null) return notDebian(sets);

  const there = installed();
  const missing = sets.flatMap((set) => PACKAGES[set]).filter((name) => !there.has(name));
  if (missing.length === 0) return;

  const why = sets.filter((set) => PACKAGES[set].some((name) => missing.includes(name))).map((set) => PURPOSE[set]);
  say(`Installing Debian packages for ${why.join(", ")}: ${missing.join(" ")}`);
  const byHand = `Install them by hand and start again:\n\n    sudo apt-get install --no-install-recommends ${missing.join(" ")}\n`;
  const apt = aptGet();
  if (!apt) throw new Trouble(`These packages are missing, and only root may install them. ${byHand}`);
  if ((await apt(["update", "-qq"])) !== 0) console.error("apt-get update failed; trying with the lists that are here.");
  const done = await apt(["install", "-y", "-q", "--no-install-recommends", ...missing]);
  if (done !== 0) throw new Trouble(`apt-get could not install them; its reason stands above. ${byHand}`);
}

/** The packages of ours that dpkg has installed. */
function installed() {
  // One question about every package costs less than one each. dpkg-query fails when it does not know one.
  const format = "${Package} ${db:Status-Status}\n";
  const answer = ask("sh", ["-c", 'dpkg-query -W -f "$0" "$@" 2>/dev/null; true', format, ...Object.values(PACKAGES).flat()]);
  const lines = (answer ?? "").split("\n").map((line) => line.split(" "));
  return new Set(lines.filter(([, state]) => state === "installed").map(([name]) => name));
}

/** apt-get as root, by sudo where needed and possible; `null` where not. */
function aptGet() {
  const quiet = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=500"];
  if (ask("apt-get", ["--version"]) === null) return null;
  if (process.getuid() === 0) return (args) => code(quiet[0], [...quiet.slice(1), ...args]);
  if (ask("sudo", ["--version"]) === null) return null;
  // Without a person at a terminal sudo must not wait for a password.
  const sudo = process.stdin.isTTY ? [] : ["-n"];
  if (sudo.length && ask("sudo", ["-n", "true"]) === null) return null;
  return (args) => code("sudo", [...sudo, ...quiet, ...args]);
}

function notDebian(sets) {
  if (sets.includes("window") && ask("pkg-config", ["--exists", "webkit2gtk-4.1"]) === null) {
    throw new Trouble(
      "The window needs WebKitGTK 4.1 and the Ayatana app indicator with their development files, and this is no " +
        "Debian, so you know better than this script how to install them. Without a window: npm start -- --headless",
    );
  }
}
