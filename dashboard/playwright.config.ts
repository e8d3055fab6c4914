/**
 * Tests in a real browser, against whatever serves the page at `STREAMGAUGE_URL`: the real binary with
 * a fresh ledger, or the mock backend (`npm run e2e:mock`). The empty page is tested first, because
 * the tests after it send traffic.
 */
import { defineConfig } from "@playwright/test";

const baseURL = process.env.STREAMGAUGE_URL;
if (baseURL === undefined) {
  throw new Error(
    "STREAMGAUGE_URL is not set: give the address of metrics-api, or run `npm run e2e:mock`",
  );
}

export default defineConfig({
  testDir: "e2e",
  outputDir: "test-results",
  forbidOnly: true,
  // One ledger and two cores: tests that share them take turns.
  workers: 1,
  timeout: 60_000,
  expect: { timeout: 15_000 },
  reporter: [["list"]],
  use: {
    baseURL,
    viewport: { width: 1440, height: 900 },
    screenshot: "only-on-failure",
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
    },
  },
  projects: [
    { name: "empty", testMatch: "empty.spec.ts" },
    { name: "page", testMatch: "page.spec.ts", dependencies: ["empty"] },
  ],
});
