/**
 * The window split by one dimension, and the culprit finder: which values are over-represented among the
 * failed requests. One click narrows the whole page to a value.
 */
import type { Schemas } from "../api/client";
import { type Dimension, dimensionNamed, useBreakdown } from "../api/queries";
import { isFilterName } from "../lib/address";
import { type Suspect, failureTints, suspects } from "../lib/culprit";
import { count, duration, joined, rateFigure, share, threeDigits } from "../lib/format";
import { distanceFromPeers, founded } from "../lib/sort";
import { type ColumnSpec, DataTable } from "../ui/DataTable";
import { Empty, Panel } from "../ui/Panel";
import { Choice, LeadTo, Meter } from "../ui/parts";
import { Answered } from "./Answered";
import { usePage } from "./usePage";

type Row = Schemas["BreakdownRow"];

/** The dimensions that are offered, in the order of use. */
const OFFERED = [
  "model",
  "replica",
  "endpoint",
  "outcome",
  "key",
  "finish_reason",
  "error_type",
] as const satisfies readonly Dimension[];

/** The dimensions in which a culprit is looked for. */
const SUSPECTED = ["replica", "model", "endpoint"] as const satisfies readonly Dimension[];

/** Differences below these are trifles, whatever the median is. */
const ENOUGH = { ttftMs: 5 } as const;

/** The panel. */
export function BreakdownPanel() {
  const { scope, address, setBy } = usePage();
  const by = dimensionNamed(address.by) ?? "model";
  const asked = useBreakdown(scope, by);
  return (
    <Panel
      id="breakdown"
      title="Breakdown"
      size="half"
      actions={
        <Choice
          label="Split by"
          values={OFFERED}
          chosen={OFFERED.find((dimension) => dimension === by) ?? null}
          text={(dimension) => dimension.replace("_", " ")}
          onChoose={setBy}
        />
      }
    >
      <Suspects />
      <Answered asked={asked} what="The breakdown" shape="rows">
        {(body) =>
          body.rows.length === 0 ? (
            <Empty title="No requests in this window.">
              Choose a longer one, or fewer filters.
            </Empty>
          ) : (
            <BreakdownTable by={by} rows={body.rows} />
          )
        }
      </Answered>
    </Panel>
  );
}

function BreakdownTable({ by, rows }: { readonly by: Dimension; readonly rows: readonly Row[] }) {
  const { setFilter } = usePage();
  const narrow = isFilterName(by)
    ? {
        openLabel: (row: Row) => `Show only ${row.key ?? "unknown"}`,
        onOpen: (row: Row) => {
          setFilter(by, row.key);
        },
      }
    : {};
  return (
    <DataTable
      caption={`Requests by ${by}`}
      columns={columnsFor(by, rows)}
      rows={rows}
      rowKey={(row) => row.key ?? ""}
      {...narrow}
    />
  );
}

function ttftOf(row: Row): number | null {
  return founded(row.ttft_ms.p95, row.ttft_ms.count);
}

function columnsFor(by: Dimension, rows: readonly Row[]): readonly ColumnSpec<Row>[] {
  const most = Math.max(1, ...rows.map((row) => row.requests));
  const ttft = rows.map(ttftOf);
  const tints = failureTints(rows);
  return [
    {
      id: "key",
      header: by.replace("_", " "),
      cell: (row) =>
        row.key === null ? (
          <span className="unknown">unknown</span>
        ) : (
          <span className="clip" title={row.key}>
            {row.key}
          </span>
        ),
      order: (row) => row.key,
    },
    {
      id: "requests",
      header: "Requests",
      number: true,
      cell: (row) => <Meter share={row.requests / most}>{count(row.requests)}</Meter>,
      order: (row) => row.requests,
    },
    {
      id: "failed",
      header: "Failed",
      number: true,
      cell: (row) => share(row.error_rate),
      order: (row) => row.error_rate,
      tint: (row) => tints.get(row.key ?? "") ?? 0,
    },
    {
      id: "ttft_p50",
      header: "TTFT p50",
      number: true,
      wideOnly: true,
      cell: (row) => duration(row.ttft_ms.p50),
      order: (row) => row.ttft_ms.p50,
    },
    {
      id: "ttft_p95",
      header: "TTFT p95",
      number: true,
      cell: (row) => duration(row.ttft_ms.p95),
      order: (row) => row.ttft_ms.p95,
      tint: (row) => distanceFromPeers(ttftOf(row), ttft, ENOUGH.ttftMs),
    },
    {
      id: "output",
      header: "Output",
      number: true,
      meaning: "Exact completion tokens per second.",
      cell: (row) => joined(rateFigure(row.tokens_per_second, "tok/s")),
      order: (row) => row.tokens_per_second,
    },
  ];
}

/** Which value stands out most among the failures; nothing when none does. */
function Suspects() {
  const { scope, setFilter } = usePage();
  const answers = [
    useBreakdown(scope, SUSPECTED[0]).data,
    useBreakdown(scope, SUSPECTED[1]).data,
    useBreakdown(scope, SUSPECTED[2]).data,
  ];
  const found = answers.flatMap((answer) =>
    answer === undefined ? [] : suspects(answer.by, answer.rows),
  );
  const worst = found.reduce<Suspect | null>(
    (before, suspect) => (before === null || suspect.lift > before.lift ? suspect : before),
    null,
  );
  return worst === null ? null : (
    <p className="panel-note">
      <span>
        <SuspectWords suspect={worst} onNarrow={setFilter} />
      </span>
    </p>
  );
}

function SuspectWords({
  suspect,
  onNarrow,
}: {
  readonly suspect: Suspect;
  readonly onNarrow: ReturnType<typeof usePage>["setFilter"];
}) {
  const { dimension, value, failures, total, lift } = suspect;
  return (
    <>
      {dimension}{" "}
      {isFilterName(dimension) ? (
        <LeadTo
          onClick={() => {
            onNarrow(dimension, value);
          }}
        >
          {value}
        </LeadTo>
      ) : (
        value
      )}{" "}
      fails {threeDigits(lift)} times as often as the rest: {count(failures)} of {count(total)}{" "}
      failures.
    </>
  );
}
