/** The four charts. They share their time and their cursor; a drag on one of them zooms the page. */
import { useState } from "react";

import { useTimeseries } from "../api/queries";
import type { Schemas } from "../api/client";
import { age, count, duration, joined, rateFigure } from "../lib/format";
import { NOT_SUCCESS, ending } from "../lib/outcome";
import { type Column, type Point, aligned, ended, largest, stacked } from "../lib/series";
import { type AxisUnit, durationAxis, plainAxis } from "../lib/ticks";
import { DEFAULT_RANGE, WINDOW_MS_MIN } from "../lib/window";
import { Chart, TableToggle } from "../ui/Chart";
import { Empty, Panel } from "../ui/Panel";
import type { Line } from "../ui/plot-options";
import { Answered, type Asked, together } from "./Answered";
import { stepBack, usePage } from "./usePage";

type Timeseries = Schemas["Timeseries"];

/** Everything that a chart shows, ready to be drawn. */
interface Drawing {
  readonly times: readonly number[];
  readonly lines: readonly Line[];
  readonly behind: Column;
  readonly fromMs: number;
  readonly toMs: number;
}

const CURSOR = "overview";

/** The charts, in the order of reading. */
export function Charts() {
  return (
    <>
      <PercentilesChart id="ttft" title="Time to first token" figure="ttft" />
      <ThroughputChart />
      <EndingsChart />
      <PercentilesChart id="itl" title="Inter-token latency" figure="itl" />
    </>
  );
}

interface PercentilesProps {
  readonly id: string;
  readonly title: string;
  readonly figure: "ttft" | "itl";
}

/** Median, 95th and 99th percentile: one hue in three strengths. */
function PercentilesChart({ id, title, figure }: PercentilesProps) {
  const { scope } = usePage();
  const asked = [
    useTimeseries(scope, `${figure}_p50`),
    useTimeseries(scope, `${figure}_p95`),
    useTimeseries(scope, `${figure}_p99`),
  ];
  const requests = useTimeseries(scope, "requests");
  const drawing = together([...asked, requests], () =>
    drawn(
      [
        { key: "p50", colour: "--latency-1", shape: "line" },
        { key: "p95", colour: "--latency-2", shape: "line" },
        { key: "p99", colour: "--latency-3", shape: "line", bandTo: "p50", wash: "--latency-wash" },
      ],
      asked.map((part) => pointsOf(part.data)),
      requests.data,
    ),
  );
  const axis = durationAxis(largest(drawing.data?.lines.map((line) => line.values) ?? []));
  return (
    <ChartPanel
      id={id}
      title={title}
      axis={axis}
      text={duration}
      drawing={drawing}
      none="No stream in this window has one."
    />
  );
}

/** Exact tokens per second, generated and read. */
function ThroughputChart() {
  const { scope } = usePage();
  const output = useTimeseries(scope, "completion_tokens");
  const prompt = useTimeseries(scope, "prompt_tokens");
  const requests = useTimeseries(scope, "requests");
  const drawing = together([output, prompt, requests], () =>
    drawn(
      [
        { key: "output", colour: "--flow-output", shape: "line", wash: "--flow-output-wash" },
        { key: "prompt", colour: "--flow-prompt", shape: "line" },
      ],
      [pointsOf(output.data), pointsOf(prompt.data)],
      requests.data,
    ),
  );
  const axis = plainAxis(largest(drawing.data?.lines.map((line) => line.values) ?? []), "tokens/s");
  return (
    <ChartPanel
      id="throughput"
      title="Tokens"
      axis={axis}
      text={(value) => joined(rateFigure(value, "/s"))}
      drawing={drawing}
      none="No request in this window reported its tokens."
    />
  );
}

/** How requests ended, without success, which would drown the rest. */
function EndingsChart() {
  const { scope } = usePage();
  const asked = useTimeseries(scope, "requests", "outcome");
  const requests = useTimeseries(scope, "requests");
  const drawing = together([asked, requests], () => stackOf(asked.data, requests.data));
  const axis = plainAxis(
    largest(drawing.data?.lines.map((line) => line.drawn ?? line.values) ?? []),
    asked.data === undefined ? "requests" : `requests per ${age(asked.data.step_ms)}`,
  );
  return (
    <ChartPanel
      id="endings"
      title="Endings other than success"
      axis={axis}
      text={count}
      whole
      drawing={drawing}
      none="Every request in this window succeeded, or there was none."
    />
  );
}

interface ChartPanelProps {
  readonly id: string;
  readonly title: string;
  readonly axis: AxisUnit;
  readonly text: (value: number) => string;
  readonly drawing: Asked<Drawing>;
  /** Whether there are no values between whole numbers. */
  readonly whole?: boolean;
  /** Why there is nothing to draw. */
  readonly none: string;
}

function ChartPanel({ id, title, axis, text, drawing, whole = false, none }: ChartPanelProps) {
  const { address, setWindow } = usePage();
  const [asTable, setAsTable] = useState(false);
  const zoom = (fromMs: number, toMs: number) => {
    const middle = (fromMs + toMs) / 2;
    const half = Math.max(toMs - fromMs, WINDOW_MS_MIN) / 2;
    setWindow({ kind: "fixed", fromMs: Math.floor(middle - half), toMs: Math.ceil(middle + half) });
  };
  const back = () => {
    // A pasted link has no window before it.
    if (address.window.kind === "fixed" && !stepBack()) {
      setWindow({ kind: "live", range: DEFAULT_RANGE });
    }
  };
  return (
    <Panel
      id={id}
      title={title}
      unit={axis.unit}
      actions={
        <TableToggle
          title={title}
          pressed={asTable}
          onToggle={() => {
            setAsTable(!asTable);
          }}
        />
      }
    >
      <Answered asked={drawing} what={title} shape="plot">
        {(body) =>
          body.lines.length === 0 || largest(body.lines.map((line) => line.values)) === null ? (
            <Empty title="Nothing to draw.">
              {none}
              {address.window.kind === "fixed" ? (
                <button type="button" className="control control-outlined" onClick={back}>
                  Leave this window
                </button>
              ) : null}
            </Empty>
          ) : (
            <Chart
              {...body}
              title={`${title}, ${axis.unit}`}
              unit={axis.unit}
              axisText={axis.text}
              whole={whole}
              text={text}
              asTable={asTable}
              syncKey={CURSOR}
              onZoom={zoom}
              onReset={back}
            />
          )
        }
      </Answered>
    </Panel>
  );
}

type Style = Pick<Line, "key" | "colour" | "shape" | "wash" | "bandTo">;

function drawn(
  styles: readonly Style[],
  series: readonly (readonly Point[])[],
  requests: Timeseries | undefined,
): Drawing {
  const { times, values } = aligned([...series, pointsOf(requests)]);
  return {
    times,
    lines: styles.map((style, index) => ({
      ...style,
      label: style.key,
      values: values[index] ?? [],
    })),
    behind: values.at(-1) ?? [],
    ...endsOf(requests),
  };
}

function stackOf(answer: Timeseries | undefined, requests: Timeseries | undefined): Drawing {
  const found = NOT_SUCCESS.flatMap((outcome) => {
    const series = answer?.series.find(({ labels }) => labels.outcome === outcome);
    // An outcome that only has zeros in this window is not worth an entry in the legend.
    return series?.points.some(([, value]) => (value ?? 0) > 0) === true
      ? [{ outcome, points: series.points }]
      : [];
  });
  // Counts of the running step are shown as they grow: a failure must not wait for its end.
  const all = requests?.series[0]?.points ?? [];
  const { times, values } = aligned([...found.map(({ points }) => points), all]);
  const behind = values[found.length] ?? [];
  // Where there were requests and none ended so, the count is a known zero.
  const counts = values
    .slice(0, found.length)
    .map((column) => column.map((value, row) => value ?? ((behind[row] ?? 0) > 0 ? 0 : null)));
  const sums = stacked(counts);
  return {
    times,
    lines: found.map(({ outcome }, index) => ({
      key: outcome,
      label: outcome,
      colour: ending(outcome).colour,
      shape: "bars",
      values: counts[index] ?? [],
      drawn: sums[index] ?? [],
    })),
    behind,
    ...endsOf(requests),
  };
}

function pointsOf(answer: Timeseries | undefined): readonly Point[] {
  return answer === undefined
    ? []
    : ended(answer.series[0]?.points ?? [], answer.step_ms, Date.parse(answer.to));
}

function endsOf(answer: Timeseries | undefined): { fromMs: number; toMs: number } {
  return { fromMs: Date.parse(answer?.from ?? ""), toMs: Date.parse(answer?.to ?? "") };
}
