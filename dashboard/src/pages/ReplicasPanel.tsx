/** The replicas: their state now and their figures in the window, each cell against its peers. */
import type { Schemas } from "../api/client";
import { useReplicas } from "../api/queries";
import { age, count, duration, joined, rateFigure, share, UNKNOWN } from "../lib/format";
import { failureTints } from "../lib/culprit";
import type { Tone } from "../lib/outcome";
import { distanceFromPeers, founded } from "../lib/sort";
import { type ColumnSpec, DataTable } from "../ui/DataTable";
import { Empty, Panel } from "../ui/Panel";
import { Badge, Meter, Name } from "../ui/parts";
import { Answered } from "./Answered";
import { useNow } from "./clock";
import { usePage } from "./usePage";

type Replica = Schemas["ReplicaRow"];
type Proxy = Schemas["ProxyRow"];

const STATE_TONES: Readonly<Record<string, Tone>> = {
  up: "good",
  down: "bad",
  ejected: "bad",
  half_open: "warn",
  draining: "warn",
  unknown: "quiet",
};

/** Differences below these are trifles, whatever the median is. */
const ENOUGH = { ttftMs: 5, itlMs: 1 } as const;

/** The panel. */
export function ReplicasPanel() {
  const { scope, address, setFilter } = usePage();
  const asked = useReplicas(scope);
  return (
    <Panel
      id="replicas"
      title="Replicas"
      size="half"
      actions={<Proxies proxies={asked.data?.proxies} />}
    >
      <Answered asked={asked} what="The replicas" shape="rows">
        {({ replicas }) =>
          replicas.length === 0 ? (
            <Empty title="No replica is known.">
              No proxy has written to this ledger yet, and no request names a replica.
            </Empty>
          ) : (
            <DataTable
              caption="Replicas, with their figures in the window"
              columns={columnsFor(replicas)}
              rows={replicas}
              rowKey={(row) => `${row.pool ?? ""} ${row.replica}`}
              tone={(row) => (row.state === "down" || row.state === "ejected" ? "bad" : undefined)}
              selected={null}
              openLabel={(row) => `Show only ${row.replica}`}
              onOpen={(row) => {
                const set = address.filters.replica === row.replica;
                setFilter("replica", set ? null : row.replica);
              }}
            />
          )
        }
      </Answered>
    </Panel>
  );
}

function ttftOf({ figures }: Replica): number | null {
  return founded(figures.ttft_ms.p95, figures.ttft_ms.count);
}

function itlOf({ figures }: Replica): number | null {
  // Its own count is one of gaps, of which a single stream has hundreds.
  return founded(figures.itl_ms.p95, figures.ttft_ms.count);
}

function columnsFor(replicas: readonly Replica[]): readonly ColumnSpec<Replica>[] {
  const most = Math.max(1, ...replicas.map((row) => row.figures.requests));
  const ttft = replicas.map(ttftOf);
  const itl = replicas.map(itlOf);
  const tints = failureTints(
    replicas.map(({ replica, figures: { requests, failures } }) => ({
      key: replica,
      requests,
      failures,
    })),
  );
  return [
    {
      id: "replica",
      header: "Replica",
      cell: (row) => <Name name={row.replica} />,
      order: (row) => row.replica,
    },
    {
      id: "state",
      header: "State",
      meaning: "The worst state that a live proxy reports.",
      cell: (row) => <State row={row} />,
      order: (row) => row.state,
    },
    {
      id: "in_flight",
      header: "In flight",
      meaning: "Requests with it now, over all live proxies.",
      number: true,
      wideOnly: true,
      cell: (row) => count(row.in_flight),
      order: (row) => row.in_flight,
    },
    {
      id: "requests",
      header: "Requests",
      meaning: "Requests in the window whose last attempt went there.",
      number: true,
      cell: (row) => (
        <Meter share={row.figures.requests / most}>{count(row.figures.requests)}</Meter>
      ),
      order: (row) => row.figures.requests,
    },
    {
      id: "failed",
      header: "Failed",
      number: true,
      cell: (row) => share(row.figures.error_rate),
      order: (row) => row.figures.error_rate,
      tint: (row) => tints.get(row.replica) ?? 0,
    },
    {
      id: "ttft",
      header: "TTFT p95",
      number: true,
      cell: (row) => duration(row.figures.ttft_ms.p95),
      order: (row) => row.figures.ttft_ms.p95,
      tint: (row) => distanceFromPeers(ttftOf(row), ttft, ENOUGH.ttftMs),
    },
    {
      id: "itl",
      header: "ITL p95",
      number: true,
      cell: (row) => duration(row.figures.itl_ms.p95),
      order: (row) => row.figures.itl_ms.p95,
      tint: (row) => distanceFromPeers(itlOf(row), itl, ENOUGH.itlMs),
    },
    {
      id: "tokens",
      header: "Output",
      meaning: "Exact completion tokens per second.",
      number: true,
      cell: (row) => joined(rateFigure(row.figures.tokens_per_second, "tok/s")),
      order: (row) => row.figures.tokens_per_second,
    },
  ];
}

function State({ row }: { readonly row: Replica }) {
  if (row.state === null) {
    return (
      <Badge tone="quiet" meaning="No live proxy knows this replica; only old records name it.">
        gone
      </Badge>
    );
  }
  const changed = row.views
    .map((view) => (view.changed_at === null ? Number.NaN : Date.parse(view.changed_at)))
    .filter((ms) => !Number.isNaN(ms));
  return (
    <Badge
      tone={STATE_TONES[row.state] ?? "quiet"}
      meaning={`As ${row.views.length === 1 ? "the proxy sees" : `${row.views.length} proxies see`} it.`}
    >
      {row.state}
      {changed.length === 0 ? null : <Since ms={Math.max(...changed)} />}
    </Badge>
  );
}

function Since({ ms }: { readonly ms: number }) {
  return <span className="muted">{age(useNow() - ms)}</span>;
}

/** The proxies in one line: how many are live, and which are not. */
function Proxies({ proxies }: { readonly proxies: readonly Proxy[] | undefined }) {
  if (proxies === undefined || proxies.length === 0) {
    return null;
  }
  const stale = proxies.filter((proxy) => proxy.stale);
  const words = proxies
    .map((proxy) => `${proxy.instance} ${proxy.version}, pulse ${age(proxy.age_ms)} ago`)
    .join("\n");
  const live = proxies.length - stale.length;
  const lost = lostWords(proxies);
  return (
    <span className={stale.length > 0 || lost !== "" ? "tone-warn" : "muted"} title={words}>
      {live} of {proxies.length} {proxies.length === 1 ? "proxy" : "proxies"} live
      {stale.length === 0
        ? ""
        : `; silent: ${stale.map((it) => it.instance).join(", ") || UNKNOWN}`}
      {lost}
    </span>
  );
}

/** What went wrong on the way to the ledger, if anything: figures of the page are short by it. */
function lostWords(proxies: readonly Proxy[]): string {
  const dropped = proxies.reduce((sum, { ledger }) => sum + (ledger?.dropped ?? 0), 0);
  if (dropped > 0) {
    return `; ${count(dropped)} records dropped`;
  }
  const slow = proxies.some(({ ledger, stale }) => !stale && ledger?.degraded === true);
  return slow ? "; records wait for the ledger" : "";
}
