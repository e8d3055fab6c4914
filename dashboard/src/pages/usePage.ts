/**
 * What the reader chose: the address (window, filters, open request) and whether the page is paused.
 * The address is the browser's; it is read and written here and nowhere else.
 */
import { createContext, use, useMemo, useState, useSyncExternalStore } from "react";

import { type Scope, knownFilters } from "../api/queries";
import {
  type Address,
  type FilterName,
  formatAddress,
  parseAddress,
  withFilter,
} from "../lib/address";
import type { TimeWindow } from "../lib/window";

/** What parts of the page may read and do. */
export interface Page {
  readonly address: Address;
  /** What all questions to the server have in common. */
  readonly scope: Scope;
  readonly paused: boolean;
  readonly setPaused: (paused: boolean) => void;
  readonly setWindow: (window: TimeWindow) => void;
  readonly setFilter: (name: FilterName, value: string | null) => void;
  readonly clearFilters: () => void;
  readonly setFailuresOnly: (failuresOnly: boolean) => void;
  readonly setBy: (by: string) => void;
  readonly openRequest: (id: string | null) => void;
}

/** The page that a part belongs to. */
export const PageContext = createContext<Page | null>(null);

const MOVED = "streamgauge:moved";

/** The page that this part belongs to. */
export function usePage(): Page {
  const page = use(PageContext);
  if (page === null) {
    throw new Error("this part is not inside of a page");
  }
  return page;
}

/** Makes the page from the address. Called once, at the top. */
export function useAddressedPage(): Page {
  const query = useSyncExternalStore(subscribe, () => window.location.search);
  const [paused, setPaused] = useState(false);
  return useMemo(() => {
    const parsed = parseAddress(query);
    const address = { ...parsed, filters: knownFilters(parsed.filters) };
    const go = (change: Partial<Address>) => {
      move({ ...address, ...change });
    };
    return {
      address,
      scope: { window: address.window, filters: address.filters, paused },
      paused,
      setPaused,
      setWindow: (chosen) => {
        go({ window: chosen });
      },
      setFilter: (name, value) => {
        go({ filters: withFilter(address.filters, name, value) });
      },
      clearFilters: () => {
        go({ filters: {} });
      },
      setFailuresOnly: (failuresOnly) => {
        go({ failuresOnly });
      },
      setBy: (by) => {
        go({ by });
      },
      openRequest: (request) => {
        go({ request });
      },
    };
  }, [query, paused]);
}

/** Goes back to the address before, if this page wrote the present one; says whether it did. */
export function stepBack(): boolean {
  const moved = window.history.state === MOVED;
  if (moved) {
    window.history.back();
  }
  return moved;
}

function move(address: Address) {
  const { pathname, hash } = window.location;
  window.history.pushState(MOVED, "", `${pathname}${formatAddress(address)}${hash}`);
  window.dispatchEvent(new Event(MOVED));
}

function subscribe(listener: () => void): () => void {
  window.addEventListener("popstate", listener);
  window.addEventListener(MOVED, listener);
  return () => {
    window.removeEventListener("popstate", listener);
    window.removeEventListener(MOVED, listener);
  };
}
