/**
 * The life of one request as the parts of a bar, drawn to scale. A part is there only when both of its
 * ends are known; time between known parts that nobody measured is shown as unknown, not as part of a
 * neighbour.
 */
import { type Maybe, isKnown } from "./format";

/** The times of one request that the bar is made of, all in milliseconds. */
export interface Times {
  readonly upload_ms: number | null;
  readonly queue_ms: number | null;
  readonly connect_ms: number | null;
  readonly ttft_ms: number | null;
  readonly ttfb_ms: number | null;
  readonly generation_ms: number | null;
  readonly engine_queue_ms: number | null;
  readonly engine_ttft_ms: number | null;
  readonly e2e_ms: number;
}

/** What happens in a part of the bar. */
export type PartName =
  | "upload"
  | "queue"
  | "connect"
  | "engine-queue"
  | "engine-prefill"
  | "around"
  | "prefill"
  | "wait"
  | "decode"
  | "body"
  | "rest"
  | "unknown";

/** One part of the bar. */
export interface Part {
  readonly name: PartName;
  readonly label: string;
  readonly meaning: string;
  readonly startMs: number;
  readonly lengthMs: number;
}

const WORDS: Readonly<Record<PartName, readonly [label: string, meaning: string]>> = {
  upload: ["upload", "From the request's head to the last byte of its body."],
  queue: ["queue", "From the complete body to the choice of a replica."],
  connect: ["connect", "From the choice to a connection; zero when one was reused."],
  "engine-queue": ["engine queue", "Waiting inside the engine, by its own clock."],
  "engine-prefill": ["prefill", "From the engine's queue to its first token, by its own clock."],
  around: [
    "network and proxy",
    "What is left until the first token was here: the way there and back, and the server around the engine.",
  ],
  prefill: [
    "prefill",
    "From the connection to the first token: the engine's queue and prefill, and the network.",
  ],
  wait: ["wait", "From the connection to the first byte of the answer."],
  decode: ["decode", "From the first token to the last."],
  body: ["body", "From the first byte of the answer to the last."],
  rest: ["rest", "From the last token to the end of the answer."],
  unknown: ["not measured", "No measurement covers this time."],
};

/** Parts shorter than this are rounding of microseconds, not time. */
const PART_MS_MIN = 0.0005;

/** The parts in the order of time. Their lengths add up to the whole request. */
export function parts(times: Times): Part[] {
  const found: Part[] = [];
  let at = 0;
  const add = (name: PartName, lengthMs: number) => {
    if (lengthMs > PART_MS_MIN) {
      const [label, meaning] = WORDS[name];
      found.push({ name, label, meaning, startMs: at, lengthMs });
      at += lengthMs;
    }
  };
  const addUntil = (name: PartName, endMs: Maybe) => {
    if (isKnown(endMs)) {
      add(name, Math.min(endMs, times.e2e_ms) - at);
    }
  };
  add("upload", times.upload_ms ?? 0);
  add("queue", times.queue_ms ?? 0);
  add("connect", times.connect_ms ?? 0);
  const reached = isKnown(times.connect_ms);
  if (isKnown(times.ttft_ms)) {
    if (reached) {
      const split = engineSplit(times, Math.min(times.ttft_ms, times.e2e_ms) - at);
      add("engine-queue", split.queueMs);
      add("engine-prefill", split.prefillMs);
      addUntil(split.prefillMs > 0 ? "around" : "prefill", times.ttft_ms);
    } else {
      addUntil("unknown", times.ttft_ms);
    }
    add("decode", Math.min(times.generation_ms ?? 0, times.e2e_ms - at));
    addUntil("rest", times.e2e_ms);
  } else if (isKnown(times.ttfb_ms)) {
    addUntil(reached ? "wait" : "unknown", times.ttfb_ms);
    addUntil("body", times.e2e_ms);
  } else {
    addUntil(reached ? "wait" : "unknown", times.e2e_ms);
  }
  return found;
}

/**
 * The engine's own word about the time until the first token. Nothing where it says nothing, or where it
 * says more than there was: two clocks that disagree are no split.
 */
function engineSplit(times: Times, lengthMs: number): { queueMs: number; prefillMs: number } {
  const { engine_queue_ms: queue, engine_ttft_ms: prefill } = times;
  const queueMs = queue ?? 0;
  return isKnown(prefill) && queueMs + prefill <= lengthMs
    ? { queueMs, prefillMs: prefill }
    : { queueMs: 0, prefillMs: 0 };
}
