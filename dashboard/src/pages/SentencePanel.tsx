/** The sentence on top, made from the figures; its parts lead to what they speak of. */
import { useReplicas, useSummary, useSummaryBefore } from "../api/queries";
import { sentenceOf } from "../api/client";
import { type Piece, type Target, sentence } from "../lib/sentence";
import { nounBefore } from "../lib/window";
import { LeadTo } from "../ui/parts";
import { type Page, usePage } from "./usePage";

const PANELS = { replicas: "#replicas", latency: "#ttft", outcomes: "#endings" } as const;

/** The sentence, or why there is none. */
export function SentencePanel() {
  const page = usePage();
  const summary = useSummary(page.scope);
  const before = useSummaryBefore(page.scope);
  const replicas = useReplicas(page.scope);
  if (summary.data === undefined) {
    return (
      <p className="sentence sentence-unknown" role="status">
        <span className="sentence-mark" aria-hidden="true" />
        <span className="muted">
          {summary.error === null ? "Reading the ledger." : sentenceOf(summary.error)}
        </span>
      </p>
    );
  }
  const told = sentence(
    summary.data,
    before.data ?? null,
    replicas.data?.replicas ?? null,
    nounBefore(page.address.window),
  );
  // When newer figures fail to come, the last ones are no longer a judgement of the present.
  const verdict = summary.error === null ? told.verdict : "unknown";
  return (
    <p className={`sentence sentence-${verdict}`} data-verdict={verdict}>
      <span className="sentence-mark" aria-hidden="true" />
      <span>
        {told.pieces.map((piece, index) => (
          <PieceWords key={`${index} ${piece.text}`} piece={piece} page={page} />
        ))}
      </span>
    </p>
  );
}

function PieceWords({ piece, page }: { readonly piece: Piece; readonly page: Page }) {
  const { target } = piece;
  const text = unbroken(piece.text);
  if (target === undefined) {
    return text;
  }
  if (target.kind === "panel") {
    return (
      <a className="lead-to" href={PANELS[target.panel]}>
        {text}
      </a>
    );
  }
  return (
    <LeadTo
      onClick={() => {
        follow(target, page);
      }}
    >
      {text}
    </LeadTo>
  );
}

/** A number and its unit stay on one line. */
function unbroken(text: string): string {
  return text.replaceAll(/(\d) (?=(?:%|µs|ms|s)(?!\w))/g, "$1\u00a0");
}

function follow(target: Exclude<Target, { kind: "panel" }>, page: Page) {
  if (target.kind === "outcome") {
    page.setFilter("outcome", target.outcome);
  } else {
    page.setFilter("replica", target.replica);
  }
}
