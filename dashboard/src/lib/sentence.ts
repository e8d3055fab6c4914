/**
 * The sentence on top of the page, made from the figures: do the replicas serve, how fast are first
 * tokens against before, how much fails and where. It is green only when that is true.
 */
import { type Maybe, change, count, duration, isKnown, share } from "./format";
import { worstFailure } from "./outcome";

/** The figures of a window that the sentence speaks of. */
export interface Told {
  readonly requests: number;
  readonly failures: number;
  readonly error_rate: number | null;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly ttft_ms: { readonly count: number; readonly p95: number | null };
}

/** One replica, as far as the sentence needs it. */
export interface ToldReplica {
  readonly replica: string;
  readonly state: string | null;
  readonly figures: { readonly failures: number };
}

/** Where a piece of the sentence leads. */
export type Target =
  | { readonly kind: "panel"; readonly panel: "replicas" | "latency" | "outcomes" }
  | { readonly kind: "outcome"; readonly outcome: string }
  | { readonly kind: "replica"; readonly replica: string };

/** A piece of the sentence: plain words, or words that lead somewhere. */
export interface Piece {
  readonly text: string;
  readonly target?: Target;
}

/** What the sentence says as a whole. */
export type Verdict = "good" | "warn" | "bad" | "unknown";

/** The sentence and its verdict. */
export interface Sentence {
  readonly verdict: Verdict;
  readonly pieces: readonly Piece[];
}

/** From this share on, failures are more than an accident: a tenth of a per cent, the usual service goal. */
const FAILURE_RATIO_WARN = 0.001;

/** From this share on, people notice. */
const FAILURE_RATIO_BAD = 0.02;

/** A TTFT this many times that of the window before turns the sentence amber. */
const TTFT_TIMES_WARN = 1.5;

/** So few streams make a percentile of chance: no verdict hangs on it. */
const STREAMS_MIN = 20;

/** A replica or an outcome is named as the culprit when it has at least this share of the failures. */
const CULPRIT_SHARE = 0.6;

/** Puts the sentence together. What is unknown is left out or said to be unknown; nothing is assumed. */
export function sentence(
  now: Told,
  before: Told | null,
  replicas: readonly ToldReplica[] | null,
  beforeNoun: string,
): Sentence {
  const states = replicas === null ? null : serving(replicas);
  const pieces = [
    ...statePieces(states),
    ...latencyPieces(now, before, beforeNoun),
    ...failurePieces(now, replicas),
  ];
  return { verdict: verdict(now, before, states), pieces };
}

/** The sentence as plain text, for the document's title and for tests. */
export function plain(told: Sentence): string {
  return told.pieces.map((piece) => piece.text).join("");
}

interface States {
  readonly known: number;
  readonly up: number;
  readonly down: readonly string[];
}

function serving(replicas: readonly ToldReplica[]): States {
  const live = replicas.filter((replica) => replica.state !== null);
  return {
    known: live.length,
    // A replica that was not probed yet takes requests.
    up: live.filter((replica) => replica.state === "up" || replica.state === "unknown").length,
    down: live.filter((replica) => replica.state === "down").map((replica) => replica.replica),
  };
}

function statePieces(states: States | null): Piece[] {
  const target: Target = { kind: "panel", panel: "replicas" };
  if (states === null || states.known === 0) {
    return [{ text: "No live proxy reports its replicas", target }, { text: ". " }];
  }
  const { known, up, down } = states;
  const noun = known === 1 ? "replica" : "replicas";
  if (up === known) {
    const text = known === 1 ? "The one replica serves" : `All ${known} replicas serve`;
    return [{ text, target }, { text: ". " }];
  }
  const pieces: Piece[] = [
    { text: `${up} of ${known} ${noun} ${up === 1 ? "serves" : "serve"}`, target },
  ];
  const [only] = down;
  if (down.length === 1 && only !== undefined) {
    pieces.push({ text: "; " }, { text: only, target: { kind: "replica", replica: only } });
    pieces.push({ text: " is down" });
  }
  return [...pieces, { text: ". " }];
}

function latencyPieces(now: Told, before: Told | null, beforeNoun: string): Piece[] {
  if (!isKnown(now.ttft_ms.p95)) {
    return [];
  }
  const pieces: Piece[] = [
    {
      text: `TTFT p95 ${duration(now.ttft_ms.p95)}`,
      target: { kind: "panel", panel: "latency" },
    },
  ];
  const moved = change(now.ttft_ms.p95, before?.ttft_ms.p95);
  if (moved !== null) {
    const words = { up: "above", down: "below", flat: "as in" } as const;
    const size = moved.text.replace(/^[+−]/, "");
    pieces.push({
      text:
        moved.direction === "flat"
          ? `, ${words.flat} ${beforeNoun}`
          : size.startsWith("×")
            ? `, ${size.slice(1)} times that of ${beforeNoun}`
            : `, ${size} ${words[moved.direction]} ${beforeNoun}`,
    });
  }
  return [...pieces, { text: ". " }];
}

function failurePieces(now: Told, replicas: readonly ToldReplica[] | null): Piece[] {
  const target: Target = { kind: "panel", panel: "outcomes" };
  if (now.requests === 0) {
    return [{ text: "No requests in this window." }];
  }
  const total = `${count(now.requests)} ${now.requests === 1 ? "request" : "requests"}`;
  if (now.failures === 0) {
    return [
      {
        text: now.requests === 1 ? "The one request did not fail" : `None of ${total} failed`,
        target,
      },
      { text: "." },
    ];
  }
  const pieces: Piece[] = [{ text: `${share(now.error_rate)} of ${total} failed`, target }];
  const worst = worstFailure(now.outcomes);
  const named = worst !== null && worst.requests >= now.failures * CULPRIT_SHARE;
  if (named) {
    pieces.push(
      { text: worst.requests === now.failures ? ", all " : ", mostly " },
      { text: worst.outcome, target: { kind: "outcome", outcome: worst.outcome } },
    );
  }
  const culprit = replicas?.find(
    (replica) => replicas.length > 1 && replica.figures.failures >= now.failures * CULPRIT_SHARE,
  );
  if (culprit !== undefined) {
    pieces.push(
      { text: named ? " on " : ", mostly on " },
      { text: culprit.replica, target: { kind: "replica", replica: culprit.replica } },
    );
  }
  return [...pieces, { text: "." }];
}

function verdict(now: Told, before: Told | null, states: States | null): Verdict {
  const ratio = now.error_rate;
  if (
    (states !== null && states.known > 0 && states.up === 0) ||
    (ratio ?? 0) >= FAILURE_RATIO_BAD
  ) {
    return "bad";
  }
  const slower = slowedDown(now.ttft_ms, before?.ttft_ms);
  const missing = states !== null && states.up < states.known;
  if (missing || slower || (ratio ?? 0) >= FAILURE_RATIO_WARN) {
    return "warn";
  }
  return states === null || states.known === 0 || ratio === null ? "unknown" : "good";
}

function slowedDown(
  now: { readonly count: number; readonly p95: Maybe },
  before: { readonly count: number; readonly p95: Maybe } | undefined,
): boolean {
  return (
    before !== undefined &&
    now.count >= STREAMS_MIN &&
    before.count >= STREAMS_MIN &&
    isKnown(now.p95) &&
    isKnown(before.p95) &&
    now.p95 >= before.p95 * TTFT_TIMES_WARN
  );
}
