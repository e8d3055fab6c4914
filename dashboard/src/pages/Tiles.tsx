/** The tiles: how much, how well, how fast, now. Each leads to its panel. */
import type { Schemas } from "../api/client";
import { useLive } from "../api/live";
import { type Metric, useSummary, useSummaryBefore, useTimeseries } from "../api/queries";
import {
  type Figure,
  UNKNOWN,
  change,
  count,
  durationFigure,
  rateFigure,
  shareFigure,
  shortCount,
  threeDigits,
} from "../lib/format";
import { type Column, ended } from "../lib/series";
import { nounBefore } from "../lib/window";
import { Tile } from "../ui/Tile";
import { usePage } from "./usePage";

type Summary = Schemas["Summary"];

/** From this share on the figure itself is drawn as a failure: where the sentence turns amber too. */
const ERROR_RATE_ALARM = 0.001;

/** The row of tiles. */
export function Tiles() {
  const { scope, address } = usePage();
  const { data: now, error } = useSummary(scope);
  const before = useSummaryBefore(scope).data;
  const against = nounBefore(address.window);
  return (
    <section className="tiles" aria-label="Key figures">
      <Tile
        label="Requests"
        href="#requests"
        figure={figureOf(now, error, requestsFigure)}
        meaning="Requests that started in the window, however they ended, and their rate."
        // By the rate: only a part of the window before may lie after the first start.
        change={change(now?.requests_per_second, before?.requests_per_second)}
        against={against}
        course={useCourse("requests")}
        colour="--flow-requests"
      />
      <Tile
        label="Failed"
        href="#endings"
        figure={figureOf(now, error, (it) => shareFigure(it.error_rate))}
        meaning={
          `Requests that the serving side failed, of all: ${failures(now)}. ` +
          "Client errors and clients that left are not failures."
        }
        change={change(now?.error_rate, before?.error_rate)}
        against={against}
        better="lower"
        alarming={(now?.error_rate ?? 0) >= ERROR_RATE_ALARM}
        course={useCourse("error_rate")}
        colour="--bad"
      />
      <GoalsTile now={now} before={before} against={against} />
      <Tile
        label="TTFT p50"
        href="#ttft"
        figure={figureOf(now, error, (it) => durationFigure(it.ttft_ms.p50))}
        meaning={
          "Median time to first token: from the request's head to the first token. " +
          streamsCounted(now)
        }
        change={change(now?.ttft_ms.p50, before?.ttft_ms.p50)}
        against={against}
        better="lower"
        course={useCourse("ttft_p50")}
        colour="--latency-2"
      />
      <Tile
        label="TTFT p95"
        href="#ttft"
        figure={figureOf(now, error, (it) => durationFigure(it.ttft_ms.p95))}
        meaning={`One of twenty streams waited longer than this for its first token. ${streamsCounted(now)}`}
        change={change(now?.ttft_ms.p95, before?.ttft_ms.p95)}
        against={against}
        better="lower"
        course={useCourse("ttft_p95")}
        colour="--latency-2"
      />
      <Tile
        label="ITL p95"
        href="#itl"
        figure={figureOf(now, error, (it) => durationFigure(it.itl_ms.p95))}
        meaning={
          "Inter-token latency: gaps between arrivals that carry tokens, 95th percentile. " +
          gapsCounted(now)
        }
        change={change(now?.itl_ms.p95, before?.itl_ms.p95)}
        against={against}
        better="lower"
        course={useCourse("itl_p95")}
        colour="--latency-2"
      />
      <Tile
        label="Output tokens"
        href="#throughput"
        figure={figureOf(now, error, (it) => rateFigure(it.tokens_per_second, "tok/s"))}
        meaning={`Exact completion tokens per second over the window. ${reported(now)}`}
        change={change(now?.tokens_per_second, before?.tokens_per_second)}
        against={against}
        better="higher"
        course={useCourse("completion_tokens")}
        colour="--flow-output"
      />
      <InFlightTile />
    </section>
  );
}

/** Goodput; there is no such tile where no goals are set, or nothing was judged yet. */
function GoalsTile({
  now,
  before,
  against,
}: {
  readonly now: Summary | undefined;
  readonly before: Summary | undefined;
  readonly against: string;
}) {
  const course = useCourse("goodput");
  if (now === undefined || now.goodput.eligible === 0) {
    return null;
  }
  const { good, eligible } = now.goodput;
  return (
    <Tile
      label="Goals met"
      href="#requests"
      figure={shareFigure(goodput(now))}
      meaning={
        `Requests that were served within all service goals: ${count(good)} of ${count(eligible)} ` +
        "that say something about the service. Failures have missed them."
      }
      change={change(goodput(now), goodput(before))}
      against={against}
      better="higher"
      course={course}
      colour="--good"
    />
  );
}

function goodput(summary: Summary | undefined): number | null {
  const { good, eligible } = summary?.goodput ?? { good: 0, eligible: 0 };
  return eligible === 0 ? null : good / eligible;
}

function InFlightTile() {
  const { live, inFlight } = useLive();
  const waiting = live?.waiting ?? 0;
  const figure: Figure =
    live === null
      ? { value: UNKNOWN, unit: "" }
      : { value: shortCount(live.in_flight), unit: waiting > 0 ? `${count(waiting)} waiting` : "" };
  return (
    <Tile
      label="In flight now"
      href="#replicas"
      figure={figure}
      meaning={
        "Requests that have begun and not ended, over all live proxies, second by second for two " +
        "minutes. Waiting ones have no replica yet."
      }
      course={inFlight}
      colour="--flow-requests"
    />
  );
}

/** The course of a metric over the steps of the window that have ended. */
function useCourse(metric: Metric): Column {
  const { scope } = usePage();
  const { data } = useTimeseries(scope, metric);
  if (data === undefined) {
    return [];
  }
  const points = data.series[0]?.points ?? [];
  return ended(points, data.step_ms, Date.parse(data.to)).map(([, value]) => value);
}

/** The figure; a dash when the question failed, and nothing while its answer is on the way. */
function figureOf(
  summary: Summary | undefined,
  error: Error | null,
  make: (summary: Summary) => Figure,
): Figure | null {
  if (summary === undefined) {
    return error === null ? null : { value: UNKNOWN, unit: "" };
  }
  return make(summary);
}

function requestsFigure({ requests, requests_per_second: rate }: Summary): Figure {
  return {
    value: shortCount(requests),
    unit: rate === null || requests === 0 ? "" : `${threeDigits(rate)}/s`,
  };
}

function failures(summary: Summary | undefined): string {
  return summary === undefined
    ? UNKNOWN
    : `${count(summary.failures)} of ${count(summary.requests)}`;
}

function streamsCounted(summary: Summary | undefined): string {
  return summary === undefined
    ? ""
    : `Known for ${count(summary.ttft_ms.count)} of ${count(summary.streams)} streams.`;
}

function gapsCounted(summary: Summary | undefined): string {
  return summary === undefined ? "" : `Taken over ${count(summary.itl_ms.count)} gaps.`;
}

function reported(summary: Summary | undefined): string {
  return summary === undefined
    ? ""
    : `${count(summary.tokens.reported_requests)} of ${count(summary.requests)} requests reported their tokens.`;
}
