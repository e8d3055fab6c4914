/** One panel's answer: loading, failed, stale or good. The last good figures stay until newer ones come. */
import type { ReactNode } from "react";

import { sentenceOf } from "../api/client";
import { age } from "../lib/format";
import { Failed, Loading, Stale } from "../ui/Panel";
import { useNow } from "./clock";

/** What this needs of a query of TanStack Query. */
export interface Asked<Body> {
  readonly data: Body | undefined;
  readonly error: Error | null;
  readonly dataUpdatedAt: number;
  readonly isPlaceholderData: boolean;
  readonly refetch: () => unknown;
}

interface AnsweredProps<Body> {
  readonly asked: Asked<Body>;
  /** What is shown, as the subject of "... could not be read". */
  readonly what: string;
  readonly shape: "plot" | "rows";
  readonly children: (body: Body) => ReactNode;
}

/** The answer, or what stands in its place. */
export function Answered<Body>({ asked, what, shape, children }: AnsweredProps<Body>) {
  const { data, error } = asked;
  if (data === undefined) {
    return error === null ? (
      <Loading shape={shape} />
    ) : (
      <Failed
        what={what}
        reason={sentenceOf(error)}
        onRetry={() => {
          asked.refetch();
        }}
      />
    );
  }
  return (
    <div className={asked.isPlaceholderData ? "answer answer-before" : "answer"}>
      {error === null ? null : <StaleNote error={error} since={asked.dataUpdatedAt} />}
      {children(data)}
    </div>
  );
}

/** Several queries as one: the first failure and the oldest answer speak for all. */
export function together<Body>(parts: readonly Asked<unknown>[], body: () => Body): Asked<Body> {
  const complete = parts.every((part) => part.data !== undefined);
  return {
    data: complete ? body() : undefined,
    error: parts.find((part) => part.error !== null)?.error ?? null,
    dataUpdatedAt: Math.min(...parts.map((part) => part.dataUpdatedAt)),
    isPlaceholderData: parts.some((part) => part.isPlaceholderData),
    refetch: () => {
      for (const part of parts) {
        part.refetch();
      }
    },
  };
}

function StaleNote({ error, since }: { readonly error: Error; readonly since: number }) {
  return <Stale reason={sentenceOf(error)} age={age(useNow() - since)} />;
}
