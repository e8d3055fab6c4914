/**
 * The one way to the server: a client typed by the OpenAPI document, and one kind of failure for all
 * that can go wrong on the way.
 */
import createClient from "openapi-fetch";

import type { components, paths } from "./schema";

/** The words of the API. */
export type Schemas = components["schemas"];

/** A request that the server did not answer with what was asked for. Its message is a sentence. */
export class ApiFailure extends Error {
  /** The status, or `null` when there was no answer. */
  readonly status: number | null;
  /** The server's word for programs, such as `bad_parameter`; `unreachable` when there was no answer. */
  readonly code: string;

  constructor(status: number | null, code: string, message: string) {
    super(message);
    this.name = "ApiFailure";
    this.status = status;
    this.code = code;
  }
}

/** The client. It asks the server that the page came from. */
export const client = createClient<paths>({
  baseUrl: window.location.origin,
  querySerializer: { array: { style: "form", explode: true } },
  // Looked up at each call and not once: tests put their own in its place.
  // eslint-disable-next-line no-restricted-globals
  fetch: (request) => fetch(request),
});

interface Answer<Body> {
  readonly data?: Body;
  readonly error?: unknown;
  readonly response: Response;
}

/** The body of a success; everything else becomes an `ApiFailure`. */
export async function bodyOf<Body>(asking: Promise<Answer<Body>>): Promise<Body> {
  let answer: Answer<Body>;
  try {
    answer = await asking;
  } catch (reason) {
    if (reason instanceof DOMException && reason.name === "AbortError") {
      throw reason;
    }
    throw unreachable(reason);
  }
  if (answer.data === undefined) {
    throw refused(answer.response.status, answer.error);
  }
  return answer.data;
}

/** The sentence of any error, for the page. */
export function sentenceOf(error: Error): string {
  return capitalised(error.message);
}

function unreachable(reason: unknown): ApiFailure {
  // A body that is not JSON is an answer from something else than streamgauge.
  if (reason instanceof SyntaxError) {
    return new ApiFailure(
      null,
      "not_json",
      "the answer is not from streamgauge; check what listens behind this address",
    );
  }
  return new ApiFailure(
    null,
    "unreachable",
    `streamgauge at ${window.location.host} does not answer; check that it runs`,
  );
}

function refused(status: number, body: unknown): ApiFailure {
  const envelope = isRecord(body) ? body.error : undefined;
  if (isRecord(envelope)) {
    const { code, message } = envelope;
    if (typeof code === "string" && typeof message === "string") {
      return new ApiFailure(status, code, message);
    }
  }
  return new ApiFailure(
    status,
    "unknown",
    `the server answered with status ${status} and no reason`,
  );
}

function capitalised(text: string): string {
  const sentence = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(sentence) ? sentence : `${sentence}.`;
}

/** Whether a value is an object whose members can be looked at. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
