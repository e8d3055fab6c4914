/** Puts the page into a test: with a world behind it, at an address, with a person in front. */
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render } from "@testing-library/react";
import userEvent, { type UserEvent } from "@testing-library/user-event";
import type { RequestHandler } from "msw";

import { OverviewPage } from "../pages/OverviewPage";
import { handlersFor } from "./handlers";
import type { Scenario } from "./scenario";
import { server } from "./setup";

interface Put {
  /** The world behind the page. */
  readonly scenario?: Scenario;
  /** Answers that come before those of the world. */
  readonly handlers?: readonly RequestHandler[];
  /** The query part of the page's address. */
  readonly query?: string;
}

/** A page under test. */
export interface PutPage {
  readonly user: UserEvent;
  readonly queries: QueryClient;
}

/** Shows the page. */
export function putPage({ scenario = "busy", handlers = [], query = "/" }: Put = {}): PutPage {
  server.use(...handlers, ...handlersFor(scenario));
  window.history.replaceState(null, "", query);
  // No test waits for a second try.
  const queries = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  render(
    <QueryClientProvider client={queries}>
      <OverviewPage />
    </QueryClientProvider>,
  );
  return { user: userEvent.setup(), queries };
}

/** From now on every question fails. */
export function breakServer() {
  server.use(...handlersFor("failing"));
}

/** The server works again. */
export function repairServer(scenario: Scenario) {
  server.use(...handlersFor(scenario));
}
