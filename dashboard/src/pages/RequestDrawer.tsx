/** The drawer with one request: its life to scale, and the facts of its record. */
import { sentenceOf, type Schemas } from "../api/client";
import { useRequest } from "../api/queries";
import { duration } from "../lib/format";
import { ending } from "../lib/outcome";
import { parts } from "../lib/timing";
import { Drawer, Facts, TimingBar } from "../ui/Drawer";
import { CopyButton, Failed, Loading } from "../ui/Panel";
import { Badge } from "../ui/parts";
import {
  engineFacts,
  identityFacts,
  requestFacts,
  routingFacts,
  timeFacts,
  tokenFacts,
} from "./requestFacts";
import { usePage } from "./usePage";

type Record = Schemas["RequestRecord"];

/** The drawer of the request that the address names. */
export function RequestDrawer({ id }: { readonly id: string }) {
  const { openRequest } = usePage();
  const { data, error, refetch } = useRequest(id);
  return (
    <Drawer
      title={`Request ${id}`}
      onClose={() => {
        openRequest(null);
      }}
    >
      {data !== undefined ? (
        <RequestFacts record={data} />
      ) : error === null ? (
        <Loading shape="rows" />
      ) : (
        <Failed
          what="The request"
          reason={sentenceOf(error)}
          onRetry={() => {
            void refetch();
          }}
        />
      )}
    </Drawer>
  );
}

function RequestFacts({ record }: { readonly record: Record }) {
  const life = parts(record);
  const { tone, meaning } = ending(record.outcome);
  return (
    <>
      <section>
        <p>
          <Badge tone={tone}>{record.outcome}</Badge> <span className="muted">{meaning}</span>
        </p>
        <p>
          <code>{record.id}</code>
          <CopyButton text={record.id} label="Copy the request id" />
        </p>
      </section>
      <section>
        <h3>From the first byte to the last: {duration(record.e2e_ms)}</h3>
        {life.length === 0 ? (
          <p className="unknown">Too short to be drawn.</p>
        ) : (
          <TimingBar parts={life} text={duration} />
        )}
      </section>
      <Facts title="Request" facts={requestFacts(record)} />
      <Facts title="Times" facts={timeFacts(record)} />
      <Facts title="Tokens" facts={tokenFacts(record)} />
      {engineFacts(record).length === 0 ? null : (
        <Facts title="What the engine says" facts={engineFacts(record)} />
      )}
      {routingFacts(record).length === 0 ? null : (
        <Facts title="Why this replica" facts={routingFacts(record)} />
      )}
      <Facts title="Who asked" facts={identityFacts(record)} />
    </>
  );
}
