/**
 * What the tests of components need and jsdom does not have: a network that only the mock backend
 * answers, a canvas, and the browser's ways to ask for sizes, colours and events.
 */
import "@testing-library/jest-dom/vitest";

import { cleanup, configure } from "@testing-library/react";
import { setupServer } from "msw/node";
import { afterAll, afterEach, beforeEach, vi } from "vitest";

/** The network of a test. A path without a handler is an error of the test. */
export const server = setupServer();

// The machine that tests run on may be busy with a build; a wait ends as soon as it has what it waits for.
configure({ asyncUtilTimeout: 8_000 });

server.listen({ onUnhandledRequest: "error" });

beforeEach(() => {
  window.history.replaceState(null, "", "/");
  delete document.documentElement.dataset.theme;
});

afterEach(() => {
  cleanup();
  server.resetHandlers();
});

afterAll(() => {
  server.close();
});

// jsdom has no canvas. The real one is tested in a real browser (e2e); here its options are enough.
vi.mock("uplot", () => ({
  default: class {
    static readonly paths = {};
    setData() {
      return undefined;
    }
    setScale() {
      return undefined;
    }
    setSize() {
      return undefined;
    }
    destroy() {
      return undefined;
    }
  },
}));

/** No size ever changes in a test. */
class NoResizeObserver implements ResizeObserver {
  observe() {
    return undefined;
  }
  unobserve() {
    return undefined;
  }
  disconnect() {
    return undefined;
  }
}

/** The server never sends an event. */
class SilentEventSource extends EventTarget {
  close() {
    return undefined;
  }
}

vi.stubGlobal("ResizeObserver", NoResizeObserver);
vi.stubGlobal("EventSource", SilentEventSource);
vi.stubGlobal("matchMedia", () => Object.assign(new EventTarget(), { matches: false }));
