// Runs the browser tests against the built page with the mock backend: one server with traffic and one
// with an empty ledger, each on a port that the system chooses. `npm run build` must have run before.
import { spawn } from "node:child_process";

import { preview } from "vite";

/** Serves `dist/` with the mock backend in this scenario. */
async function serve(scenario) {
  process.env.MOCK_SCENARIO = scenario;
  const server = await preview({
    mode: "mock",
    logLevel: "warn",
    preview: { port: 0, strictPort: false },
  });
  const [url] = server.resolvedUrls?.local ?? [];
  if (url === undefined) {
    throw new Error(`the preview server for "${scenario}" has no address`);
  }
  return { url, server };
}

const busy = await serve("busy");
const empty = await serve("empty");

const tests = spawn("npx", ["playwright", "test", ...process.argv.slice(2)], {
  stdio: "inherit",
  env: {
    ...process.env,
    STREAMGAUGE_URL: busy.url,
    STREAMGAUGE_EMPTY_URL: empty.url,
    STREAMGAUGE_MOCK: "1",
  },
});
tests.on("exit", (code) => {
  process.exit(code ?? 1);
});
