/**
 * What happens now: the server's events, once a second, kept for some minutes so that a gauge has a
 * course. One connection serves all parts of the page; it is open while one of them shows it.
 */
import { useSyncExternalStore } from "react";

import { type Schemas, isRecord } from "./client";

/** One event of the server. */
export type Live = Schemas["Live"];

/** What is known of the present. */
export interface Present {
  /** The last event; `null` before the first, and when the server has been silent for too long. */
  readonly live: Live | null;
  /** Requests in flight, second by second, oldest first. A second without an event is a gap. */
  readonly inFlight: readonly (number | null)[];
}

/** Seconds that are kept: what a sparkline of a tile can show. */
const COURSE_LEN = 120;

/** After this long without an event the present is unknown: the server's own limit for a pulse is 15 s. */
const SILENCE_MS_MAX = 5_000;

const SECOND_MS = 1_000;

/** Before the first event: a course of gaps, so that the line grows from the right at its own pace. */
const UNKNOWN: Present = {
  live: null,
  inFlight: Array.from({ length: COURSE_LEN }, () => null),
};

let present: Present = UNKNOWN;
let heardAt = 0;
let stop: (() => void) | null = null;
const listeners = new Set<() => void>();

/** What happens now. */
export function useLive(): Present {
  return useSyncExternalStore(subscribe, () => present);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  stop ??= listen();
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) {
      stop?.();
      stop = null;
    }
  };
}

function listen(): () => void {
  // The browser opens the connection anew by itself when it breaks.
  // eslint-disable-next-line no-restricted-globals
  const source = new EventSource("/api/v1/live");
  let last: Live | null = null;
  source.addEventListener("live", (event: MessageEvent<unknown>) => {
    const heard = parse(event.data);
    if (heard !== null) {
      last = heard;
      heardAt = performance.now();
    }
  });
  // One point for each second of this clock, so that silence is seen as a gap of its own length.
  const timer = setInterval(() => {
    const fresh = last !== null && performance.now() - heardAt <= SILENCE_MS_MAX;
    const live = fresh ? last : null;
    const course = [...present.inFlight, live?.in_flight ?? null].slice(-COURSE_LEN);
    present = { live, inFlight: course };
    for (const listener of listeners) {
      listener();
    }
  }, SECOND_MS);
  return () => {
    clearInterval(timer);
    source.close();
    present = UNKNOWN;
  };
}

function parse(text: unknown): Live | null {
  if (typeof text !== "string") {
    return null;
  }
  try {
    const value: unknown = JSON.parse(text);
    return isLive(value) ? value : null;
  } catch {
    return null;
  }
}

function isLive(value: unknown): value is Live {
  return (
    isRecord(value) &&
    "in_flight" in value &&
    "waiting" in value &&
    isRecord(value.rates) &&
    Array.isArray(value.replicas)
  );
}
