/**
 * A backend for `npm run dev:mock` and `npm run preview:mock`: Vite's own server answers `/api` from
 * the handlers in `src/mocks`, so that the page can be worked on without a proxy, a ledger or a GPU.
 * The scenario comes from `MOCK_SCENARIO` (see `src/mocks/scenario.ts`).
 */
import type { IncomingMessage, ServerResponse } from "node:http";

import { getResponse } from "msw";
import type { Connect, Plugin } from "vite";

import { handlersFor } from "../src/mocks/handlers.ts";
import { scenarioNamed } from "../src/mocks/scenario.ts";

/** What metrics-api sends with every page: the built page must do with that. */
const CONTENT_POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:";

/** The plugin: adds the same middleware to the development server and to the preview server. */
export function mockApi(): Plugin {
  const answer = middleware();
  return {
    name: "streamgauge-mock-api",
    configureServer(server) {
      server.middlewares.use(answer);
    },
    configurePreviewServer(server) {
      server.middlewares.use((_request, response, next) => {
        response.setHeader("content-security-policy", CONTENT_POLICY);
        next();
      });
      server.middlewares.use(answer);
    },
  };
}

function middleware(): Connect.NextHandleFunction {
  const handlers = handlersFor(scenarioNamed(process.env.MOCK_SCENARIO ?? "busy"));
  return (request, response, next) => {
    if (request.url?.startsWith("/api/") !== true) {
      next();
      return;
    }
    const url = new URL(request.url, `http://${request.headers.host ?? "127.0.0.1"}`);
    getResponse(handlers, new Request(url, { method: request.method ?? "GET" }))
      .then(async (mocked) => {
        if (mocked === undefined) {
          next();
          return;
        }
        await send(mocked, request, response);
      })
      .catch(next);
  };
}

async function send(mocked: Response, request: IncomingMessage, response: ServerResponse) {
  response.statusCode = mocked.status;
  mocked.headers.forEach((value, name) => response.setHeader(name, value));
  const body = Buffer.from(await mocked.arrayBuffer());
  response.end(request.method === "HEAD" ? undefined : body);
}
