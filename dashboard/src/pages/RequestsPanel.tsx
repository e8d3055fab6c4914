/** The latest requests, the bad ones easy to pick; a row opens the drawer. */
import type { Schemas } from "../api/client";
import { useRequests } from "../api/queries";
import { UNKNOWN, count, duration, isKnown } from "../lib/format";
import { ending, isFailure } from "../lib/outcome";
import { clock, dayAndClock } from "../lib/ticks";
import { lengthMs } from "../lib/window";
import { type ColumnSpec, DataTable } from "../ui/DataTable";
import { Empty, Panel } from "../ui/Panel";
import { Badge, Choice, Name } from "../ui/parts";
import { Answered } from "./Answered";
import { usePage } from "./usePage";

type Record = Schemas["RequestRecord"];

const CHOICES = ["all", "failures"] as const;

/** Windows longer than this have the day in their moments. */
const CLOCK_ONLY_MS_MAX = 24 * 3_600_000;

/** The panel. */
export function RequestsPanel() {
  const { scope, address, setFailuresOnly, openRequest } = usePage();
  const asked = useRequests(scope, address.failuresOnly);
  const withDay = lengthMs(address.window) > CLOCK_ONLY_MS_MAX;
  const narrowed = address.failuresOnly || Object.keys(address.filters).length > 0;
  return (
    <Panel
      id="requests"
      title="Latest requests"
      size="wide"
      actions={
        // An outcome that is filtered by leaves nothing to choose here.
        address.filters.outcome === undefined ? (
          <Choice
            label="Which requests"
            values={CHOICES}
            chosen={address.failuresOnly ? "failures" : "all"}
            onChoose={(choice) => {
              setFailuresOnly(choice === "failures");
            }}
          />
        ) : null
      }
    >
      <Answered asked={asked} what="The requests" shape="rows">
        {({ pages }) => {
          const rows = pages.flatMap((page) => page.requests);
          if (rows.length === 0) {
            return (
              <Empty title={narrowed ? "No request matches." : "No requests in this window."}>
                {narrowed
                  ? "Nothing in this window passes the filters that are set."
                  : "Choose a longer window, or send one."}
              </Empty>
            );
          }
          return (
            <>
              <DataTable
                caption="Latest requests, newest first"
                columns={columnsFor(withDay)}
                rows={rows}
                rowKey={(row) => row.id}
                tone={(row) => (isFailure(row.outcome) ? "bad" : undefined)}
                selected={address.request}
                openLabel={(row) =>
                  `Open request of ${momentOf(row, withDay)}, ${row.outcome}, ${row.id}`
                }
                onOpen={(row) => {
                  openRequest(address.request === row.id ? null : row.id);
                }}
                tall
              />
              <MoreRequests asked={asked} shown={rows.length} pages={pages.length} />
            </>
          );
        }}
      </Answered>
    </Panel>
  );
}

interface MoreProps {
  readonly asked: ReturnType<typeof useRequests>;
  readonly shown: number;
  readonly pages: number;
}

function MoreRequests({ asked, shown, pages }: MoreProps) {
  return (
    <div className="table-foot">
      <span>
        {count(shown)} shown{asked.hasNextPage ? "" : ", all of this window"}
        {pages > 1 ? ". The list stands still while older requests are shown." : ""}
      </span>
      {asked.hasNextPage ? (
        <button
          type="button"
          className="control control-outlined"
          disabled={asked.isFetchingNextPage}
          onClick={() => {
            void asked.fetchNextPage();
          }}
        >
          {asked.isFetchingNextPage ? "Loading older ones" : "Load older ones"}
        </button>
      ) : null}
    </div>
  );
}

function columnsFor(withDay: boolean): readonly ColumnSpec<Record>[] {
  return [
    {
      id: "started",
      header: "Started",
      cell: (row) => momentOf(row, withDay),
    },
    {
      id: "outcome",
      header: "Outcome",
      cell: (row) => {
        const { tone, meaning } = ending(row.outcome);
        return (
          <Badge tone={tone} meaning={meaning} calm>
            {row.outcome}
          </Badge>
        );
      },
      order: (row) => row.outcome,
    },
    {
      id: "status",
      header: "Status",
      number: true,
      wideOnly: true,
      meaning: "The HTTP status sent to the client.",
      cell: (row) => row.status ?? UNKNOWN,
      order: (row) => row.status,
    },
    {
      id: "model",
      header: "Model",
      wideOnly: true,
      cell: (row) => <Clipped text={row.model ?? row.model_requested} />,
      order: (row) => row.model ?? row.model_requested,
    },
    {
      id: "endpoint",
      header: "Endpoint",
      wideOnly: true,
      cell: endpointOf,
      order: (row) => row.endpoint,
    },
    {
      id: "replica",
      header: "Replica",
      wideOnly: true,
      cell: (row) =>
        row.replica === null ? (
          UNKNOWN
        ) : (
          <>
            <Name name={row.replica} />
            {row.attempts > 1 ? <span className="muted"> try {row.attempts}</span> : null}
          </>
        ),
      order: (row) => row.replica,
    },
    {
      id: "ttft",
      header: "TTFT",
      number: true,
      meaning: "Time to first token; streams only.",
      cell: (row) => duration(row.ttft_ms),
      order: (row) => row.ttft_ms,
    },
    {
      id: "itl",
      header: "ITL mean",
      wideOnly: true,
      number: true,
      meaning: "Mean gap between arrivals that carry tokens.",
      cell: (row) => duration(row.itl_mean_ms),
      order: (row) => row.itl_mean_ms,
    },
    {
      id: "e2e",
      header: "Whole",
      number: true,
      meaning: "From the request's head to the end of the answer.",
      cell: (row) => duration(row.e2e_ms),
      order: (row) => row.e2e_ms,
    },
    {
      id: "prompt",
      header: "Prompt",
      wideOnly: true,
      number: true,
      meaning: "Prompt tokens, cached ones included; the cached share stands beside them.",
      cell: promptOf,
      order: (row) => row.prompt_tokens,
    },
    {
      id: "output",
      header: "Output",
      number: true,
      meaning: "Completion tokens, reasoning included. An estimate has a tilde.",
      cell: (row) => outputTokens(row),
      order: (row) => row.completion_tokens,
    },
  ];
}

/** Completion tokens; an estimate is told from a count by its tilde. */
export function outputTokens(row: Record): string {
  if (isKnown(row.completion_tokens)) {
    return count(row.completion_tokens);
  }
  return isKnown(row.completion_tokens_est) ? `~${count(row.completion_tokens_est)}` : UNKNOWN;
}

function momentOf(row: Record, withDay: boolean): string {
  const ms = Date.parse(row.started_at);
  return withDay ? dayAndClock(ms) : clock(ms);
}

function endpointOf(row: Record) {
  return (
    <>
      {row.endpoint}
      {row.stream === true ? <span className="muted"> stream</span> : null}
    </>
  );
}

function promptOf({ prompt_tokens: all, cached_tokens: cached }: Record) {
  const share = isKnown(all) && isKnown(cached) && all > 0 ? Math.round((cached / all) * 100) : 0;
  return (
    <>
      {share > 0 ? <span className="muted">{share} % cached </span> : null}
      {count(all)}
    </>
  );
}

function Clipped({ text }: { readonly text: string | null }) {
  return text === null ? (
    UNKNOWN
  ) : (
    <span className="clip" title={text}>
      {text}
    </span>
  );
}
