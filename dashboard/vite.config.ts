/**
 * How the page is built, served while it is written, and tested.
 * `--mode mock` answers `/api` from `src/mocks` instead of a running streamgauge.
 */
import react from "@vitejs/plugin-react";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

/** Where metrics-api listens by default. */
const METRICS_API = "http://127.0.0.1:8002";

export default defineConfig(async ({ mode }) => ({
  plugins: [react(), ...(mode === "mock" ? [await mockApi()] : [])],
  build: {
    outDir: "dist",
    target: "es2022",
    sourcemap: false,
    // The server's content policy allows no inline data but images; nothing is worth inlining here.
    assetsInlineLimit: 0,
  },
  server: {
    host: "127.0.0.1",
    port: 3000,
    strictPort: true,
    ...(mode === "mock" ? {} : { proxy: { "/api": METRICS_API } }),
  },
  preview: { host: "127.0.0.1", port: 3000, strictPort: true },
  test: {
    environment: "jsdom",
    environmentOptions: { jsdom: { url: "http://127.0.0.1:8002/" } },
    globals: true,
    setupFiles: ["src/mocks/setup.ts"],
    include: ["src/**/*.test.{ts,tsx}"],
    css: false,
    testTimeout: 30_000,
    env: { DEBUG_PRINT_LIMIT: "0" },
  },
}));

/** The mock backend is read only when it is asked for: a build must not depend on it. */
async function mockApi(): Promise<Plugin> {
  const plugin = await import("./scripts/mock-plugin.ts");
  return plugin.mockApi();
}
