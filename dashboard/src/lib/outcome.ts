/**
 * How a request ended, in the ledger's words. Which of them are failures is the server's definition
 * (docs/metrics.md): client errors and clients that left are not.
 */

/** What an outcome means for the reader. */
export type Tone = "good" | "bad" | "warn" | "quiet";

interface Ending {
  readonly tone: Tone;
  /** The token of its colour in charts. */
  readonly colour: string;
  /** One sentence for hovering and for the drawer. */
  readonly meaning: string;
}

const ENDINGS: Readonly<Record<string, Ending>> = {
  success: {
    tone: "good",
    colour: "--outcome-success",
    meaning: "The whole answer was produced.",
  },
  client_error: {
    tone: "warn",
    colour: "--outcome-client-error",
    meaning: "Answered with 4xx: the request was at fault.",
  },
  client_cancelled: {
    tone: "quiet",
    colour: "--outcome-cancelled",
    meaning: "The client left before the answer was complete.",
  },
  upstream_error: {
    tone: "bad",
    colour: "--outcome-upstream",
    meaning: "The replica answered 5xx, refused the connection or broke it before the head.",
  },
  stream_error: {
    tone: "bad",
    colour: "--outcome-stream",
    meaning: "An error event came inside a stream that had begun with 200.",
  },
  upstream_truncated: {
    tone: "bad",
    colour: "--outcome-truncated",
    meaning: "The answer ended with neither a terminal marker nor a finish reason.",
  },
  timeout_connect: {
    tone: "bad",
    colour: "--outcome-timeout-early",
    meaning: "No connection to the replica in time.",
  },
  timeout_first_byte: {
    tone: "bad",
    colour: "--outcome-timeout-early",
    meaning: "No response head in time.",
  },
  timeout_idle: {
    tone: "bad",
    colour: "--outcome-timeout-late",
    meaning: "No byte for too long in the middle of an answer.",
  },
  timeout_total: {
    tone: "bad",
    colour: "--outcome-timeout-late",
    meaning: "The whole request took too long.",
  },
  rejected: {
    tone: "bad",
    colour: "--outcome-rejected",
    meaning: "Refused here, because a limit was reached (429 or 503).",
  },
  no_replica: {
    tone: "bad",
    colour: "--outcome-no-replica",
    meaning: "No replica was there to take it.",
  },
  abandoned: {
    tone: "bad",
    colour: "--outcome-abandoned",
    meaning: "Ended here: a shutdown, or a failure of the proxy.",
  },
};

const UNHEARD_OF: Ending = {
  tone: "quiet",
  colour: "--outcome-cancelled",
  meaning: "An outcome that this page does not know; the server is newer.",
};

/** What an outcome means. A word that is not known here is shown as it is and judged neither way. */
export function ending(outcome: string): Ending {
  return Object.hasOwn(ENDINGS, outcome) ? (ENDINGS[outcome] ?? UNHEARD_OF) : UNHEARD_OF;
}

/** Whether an outcome counts in the failure ratio. */
export function isFailure(outcome: string): boolean {
  return ending(outcome).tone === "bad";
}

/** Every outcome that is a failure, in the order of declaration. */
export const FAILURES: readonly string[] = Object.keys(ENDINGS).filter(isFailure);

/** Every outcome but success, in the order in which charts stack them. */
export const NOT_SUCCESS: readonly string[] = Object.keys(ENDINGS).filter(
  (outcome) => outcome !== "success",
);

/** How many requests of these counts failed. */
export function failureCount(outcomes: Readonly<Record<string, number>>): number {
  return Object.entries(outcomes)
    .filter(([outcome]) => isFailure(outcome))
    .reduce((sum, [, requests]) => sum + requests, 0);
}

/** The most frequent failure of these counts, with its number; nothing when none failed. */
export function worstFailure(
  outcomes: Readonly<Record<string, number>>,
): { readonly outcome: string; readonly requests: number } | null {
  let worst: { outcome: string; requests: number } | null = null;
  for (const [outcome, requests] of Object.entries(outcomes)) {
    if (isFailure(outcome) && requests > 0 && requests > (worst?.requests ?? 0)) {
      worst = { outcome, requests };
    }
  }
  return worst;
}
