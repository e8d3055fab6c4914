/** Puts the page on the screen. */
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import "uplot/dist/uPlot.min.css";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/layout.css";
import "./styles/parts.css";
import "./styles/tables.css";

import { ApiFailure } from "./api/client";
import { OverviewPage } from "./pages/OverviewPage";

/** A question is asked again this often before it counts as failed. */
const RETRIES_MAX = 1;

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      // What the server refused it will refuse again; only silence and its own failures may pass.
      retry: (failures, error) =>
        failures < RETRIES_MAX &&
        !(error instanceof ApiFailure && error.status !== null && error.status < 500),
      // The answer is what the server says, also when the browser believes to be offline.
      networkMode: "always",
    },
  },
});

const root = document.getElementById("root");
if (root === null) {
  throw new Error("index.html has no element with the id `root`");
}

createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <OverviewPage />
    </QueryClientProvider>
  </StrictMode>,
);
