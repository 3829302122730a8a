// Runs what the page computes without a browser: words, geometry, addresses, merging of events.
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: { include: ["ui/src/**/*.test.ts"], environment: "node", env: { TZ: "Europe/Berlin" } },
});
