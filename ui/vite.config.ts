// Builds the page that the window and the headless server show. In development it passes /api on to
// a running core, so that the page behaves as if that core had served it.
import tailwind from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const core = process.env.HEADGATE_URL ?? "http://127.0.0.1:8417";

export default defineConfig({
  plugins: [react(), tailwind()],
  clearScreen: false,
  server: { proxy: { "/api": { target: core, changeOrigin: true, headers: { origin: core } } } },
  build: { target: "es2022", modulePreload: { polyfill: false }, assetsInlineLimit: 0 },
});
