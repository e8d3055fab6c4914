/** The page: the sentence, the tiles, the charts, the replicas, the breakdown and the requests. */
import { useEffect, useEffectEvent, useState } from "react";

import { useAbout, useSummary } from "../api/queries";
import { Charts } from "./Charts";
import { BreakdownPanel } from "./BreakdownPanel";
import { KeysSheet } from "./KeysSheet";
import { NoRequestsYet } from "./NoRequestsYet";
import { ReplicasPanel } from "./ReplicasPanel";
import { RequestDrawer } from "./RequestDrawer";
import { RequestsPanel } from "./RequestsPanel";
import { SentencePanel } from "./SentencePanel";
import { Tiles } from "./Tiles";
import { TopBar } from "./TopBar";
import { type Command, commandFor } from "./keys";
import { PageContext, useAddressedPage, usePage } from "./usePage";

/** The whole page. */
export function OverviewPage() {
  const page = useAddressedPage();
  const [help, setHelp] = useState(false);
  const { address } = page;

  const run = useEffectEvent((command: Command) => {
    switch (command) {
      case "help":
        setHelp(!help);
        break;
      case "close":
        if (help) {
          setHelp(false);
        } else if (address.request !== null) {
          page.openRequest(null);
        }
        break;
      case "pause":
        page.setPaused(!page.paused);
        break;
      case "filter":
        focusFirst("#filter-choice select");
        break;
      case "time":
        focusFirst("#window-choice [aria-pressed='true']");
        break;
      case "next":
      case "previous": {
        const id = focusRow(command === "next" ? 1 : -1);
        if (id !== null && address.request !== null) {
          page.openRequest(id);
        }
        break;
      }
    }
  });

  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const command = commandFor(event);
      if (command !== null) {
        event.preventDefault();
        run(command);
      }
    };
    window.addEventListener("keydown", onKey);
    return () => {
      window.removeEventListener("keydown", onKey);
    };
  }, []);

  return (
    <PageContext value={page}>
      <TopBar
        onHelp={() => {
          setHelp(true);
        }}
      />
      <main>
        <SentencePanel />
        <Panels />
      </main>
      <Foot />
      {address.request === null ? null : <RequestDrawer id={address.request} />}
      {help ? (
        <KeysSheet
          onClose={() => {
            setHelp(false);
          }}
        />
      ) : null}
    </PageContext>
  );
}

/** Everything below the sentence. Without any request it teaches how to send one. */
function Panels() {
  const page = usePage();
  const { data } = useSummary(page.scope);
  const unfiltered = Object.keys(page.address.filters).length === 0;
  const empty = data?.requests === 0 && unfiltered && page.address.window.kind === "live";
  return (
    <>
      <Tiles />
      <div className="panels">
        {empty ? <NoRequestsYet /> : <Charts />}
        <ReplicasPanel />
        <BreakdownPanel />
        <RequestsPanel />
      </div>
    </>
  );
}

function Foot() {
  const { data } = useAbout();
  return (
    <footer className="foot">
      <span>streamgauge {data?.version ?? ""}</span>
      <a href="/metrics">Prometheus metrics</a>
      <a href="/api/openapi.json">API</a>
      <span>All times are in the zone of this browser.</span>
    </footer>
  );
}

function focusFirst(selector: string) {
  document.querySelector<HTMLElement>(selector)?.focus();
}

/** Moves the focus by some rows of the list of requests; says which request has it then. */
function focusRow(by: 1 | -1): string | null {
  const rows = [...document.querySelectorAll<HTMLElement>("#requests [data-row]")];
  const focused = rows.findIndex((row) => row === document.activeElement);
  const selected = rows.findIndex((row) => row.closest("tr")?.dataset.selected === "true");
  const from = focused >= 0 ? focused : selected;
  const to = from < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, from + by));
  const row = rows[to];
  row?.focus();
  return row?.dataset.row ?? null;
}
