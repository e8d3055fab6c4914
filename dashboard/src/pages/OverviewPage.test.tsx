/** The page as a person meets it: what it says, where its parts lead, and what it shows when it cannot. */
import { act, screen, waitFor, within } from "@testing-library/react";
import { HttpResponse, delay, http } from "msw";
import { beforeEach, describe, expect, it, vi } from "vitest";

import { breakServer, putPage, repairServer } from "../mocks/render";

/** In the middle of the bad spell of gpu-03, so that the hour has failures. */
const NOW = Date.UTC(2026, 10, 23, 14, 5);

beforeEach(() => {
  vi.setSystemTime(NOW);
});

function panel(name: string): HTMLElement {
  return screen.getByRole("region", { name });
}

async function requestRows(): Promise<HTMLElement[]> {
  return within(panel("Latest requests")).findAllByRole("button", { name: /^Open request/ });
}

describe("a page with traffic", () => {
  it("says in one sentence what stands out", async () => {
    putPage();
    const sentence = await screen.findByText(/replicas serve/);
    const words = sentence.closest("p");
    await waitFor(() => {
      expect(words).toHaveTextContent(/TTFT p95 .* the hour before/);
    });
    expect(words).toHaveTextContent(/requests failed, mostly on gpu-03:8000\./);
    expect(words).toHaveAttribute("data-verdict", "warn");
  });

  it("shows the tiles with figures and units", async () => {
    putPage();
    const tiles = screen.getByRole("region", { name: "Key figures" });
    await within(tiles).findAllByText(/^[\d,.]+$/, { selector: ".tile-value" });
    for (const label of [
      "Requests",
      "Failed",
      "TTFT p50",
      "TTFT p95",
      "ITL p95",
      "Output tokens",
    ]) {
      const tile = within(tiles).getByText(label).closest("a");
      expect(tile?.querySelector(".tile-value"), label).toHaveTextContent(/^[\d,.]+$/);
    }
    expect(within(tiles).getByText("In flight now").closest("a")).toHaveTextContent("–");
  });

  it("lists requests newest first with the bad ones marked", async () => {
    putPage();
    const rows = await requestRows();
    expect(rows).toHaveLength(50);
    const times = rows.map((row) => row.textContent);
    expect(times).toEqual([...times].sort().reverse());
    const bad = within(panel("Latest requests")).getAllByText(/upstream_truncated|timeout_idle/);
    expect(bad[0]?.closest("tr")).toHaveAttribute("data-tone", "bad");
  });

  it("loads older requests on demand and then lets the list stand still", async () => {
    const { user } = putPage();
    await requestRows();
    await user.click(screen.getByRole("button", { name: "Load older ones" }));
    await waitFor(async () => {
      expect(await requestRows()).toHaveLength(100);
    });
    expect(panel("Latest requests")).toHaveTextContent(/stands still/);
  });

  it("has every chart as a table too", async () => {
    const { user } = putPage();
    const chart = panel("Time to first token");
    await user.click(within(chart).getByRole("button", { name: "Time to first token as a table" }));
    const table = await within(chart).findByRole("table", { name: /Time to first token, ms/ });
    const heads = within(table).getAllByRole("columnheader");
    expect(heads.map((head) => head.textContent)).toEqual([
      "Time",
      "p50",
      "p95",
      "p99",
      "requests",
    ]);
    expect(within(table).getAllByRole("row").length).toBeGreaterThan(60);
  });

  it("names the culprit and narrows the page to it", async () => {
    const { user } = putPage();
    const note = await within(panel("Breakdown")).findByText(/times as often as the rest/);
    await user.click(within(note).getByRole("button", { name: "gpu-03:8000" }));
    expect(window.location.search).toBe("?replica=gpu-03%3A8000");
    await waitFor(() => {
      expect(within(panel("Latest requests")).queryAllByTitle("gpu-01:8000")).toHaveLength(0);
    });
  });
});

describe("service goals", () => {
  it("have a tile with the share that met them", async () => {
    putPage({ scenario: "calm" });
    const tiles = screen.getByRole("region", { name: "Key figures" });
    const tile = (await within(tiles).findByText("Goals met")).closest("a");
    expect(tile?.querySelector(".tile-value")).toHaveTextContent(/^\d+(\.\d+)?$/);
    expect(tile).toHaveTextContent("%");
  });

  it("have no tile where there are none", async () => {
    putPage();
    const tiles = screen.getByRole("region", { name: "Key figures" });
    await within(tiles).findAllByText(/^[\d,.]+$/, { selector: ".tile-value" });
    expect(within(tiles).queryByText("Goals met")).not.toBeInTheDocument();
  });
});

describe("the address", () => {
  it("is what the page shows when a link is pasted", async () => {
    putPage({ query: "/?range=15m&outcome=client_cancelled&model=Qwen%2FQwen3-8B" });
    expect(screen.getByRole("button", { name: "15m" })).toHaveAttribute("aria-pressed", "true");
    expect(screen.getByRole("combobox", { name: "outcome" })).toHaveValue("client_cancelled");
    const rows = await requestRows();
    expect(rows.length).toBeGreaterThan(0);
    const list = panel("Latest requests");
    expect(within(list).queryByText("success")).not.toBeInTheDocument();
    expect(within(list).queryByText(/Llama/)).not.toBeInTheDocument();
  });

  it("follows the range, the filters and the way back", async () => {
    const { user } = putPage();
    await user.click(screen.getByRole("button", { name: "15m" }));
    expect(window.location.search).toBe("?range=15m");
    await waitFor(() => {
      expect(screen.getByRole("combobox", { name: "endpoint" })).toContainHTML("embeddings");
    });
    await user.selectOptions(screen.getByRole("combobox", { name: "endpoint" }), "embeddings");
    expect(window.location.search).toBe("?range=15m&endpoint=embeddings");
    await user.click(screen.getByRole("button", { name: "Clear filter" }));
    expect(window.location.search).toBe("?range=15m");
    act(() => {
      window.history.back();
    });
    await waitFor(() => {
      expect(window.location.search).toBe("?range=15m&endpoint=embeddings");
      expect(screen.getByRole("combobox", { name: "endpoint" })).toHaveValue("embeddings");
    });
  });

  it("drops a filter that the server would refuse", async () => {
    putPage({ query: "/?outcome=melted" });
    await requestRows();
    expect(screen.queryByRole("button", { name: "Clear filter" })).not.toBeInTheDocument();
  });
});

describe("one request", () => {
  it("opens from its row, shows its life, and closes with Esc", async () => {
    const { user } = putPage();
    const [row] = await requestRows();
    await user.click(row ?? document.body);
    const drawer = await screen.findByRole("complementary", { name: /^Request 0199/ });
    expect(await within(drawer).findByText(/From the first byte to the last/)).toBeVisible();
    expect(window.location.search).toMatch(/request=0199/);
    await user.keyboard("{Escape}");
    expect(screen.queryByRole("complementary")).not.toBeInTheDocument();
    expect(window.location.search).toBe("");
    expect(row, "the focus is back where it was").toHaveFocus();
  });

  it("says so when the server does not know it", async () => {
    putPage({ query: "/?request=nothing-zz" });
    const drawer = await screen.findByRole("complementary");
    expect(await within(drawer).findByRole("alert")).toHaveTextContent("No request has this id.");
  });
});

describe("the keyboard", () => {
  it("moves through requests, opens one, and follows it in the drawer", async () => {
    const { user } = putPage();
    const rows = await requestRows();
    await user.keyboard("jj");
    expect(rows[1]).toHaveFocus();
    await user.keyboard("k{Enter}");
    const first = window.location.search;
    await screen.findByRole("complementary");
    await user.keyboard("j");
    expect(window.location.search).not.toBe(first);
    expect(window.location.search).toContain(rows[1]?.dataset.row ?? "no row");
  });

  it("pauses, reaches filters and range, and explains itself", async () => {
    const { user } = putPage();
    await requestRows();
    await user.keyboard("p");
    expect(await screen.findByText(/^paused/)).toBeVisible();
    await user.keyboard("/");
    expect(screen.getByRole("combobox", { name: "model" })).toHaveFocus();
    act(() => {
      screen.getByRole("combobox", { name: "model" }).blur();
    });
    await user.keyboard("t");
    expect(screen.getByRole("button", { name: "1h" })).toHaveFocus();
    await user.keyboard("?");
    expect(screen.getByRole("dialog", { name: "Keyboard shortcuts" })).toBeVisible();
    await user.keyboard("{Escape}");
    expect(screen.queryByRole("dialog")).not.toBeInTheDocument();
  });
});

describe("a page without figures", () => {
  it("shows the shape of what is to come while it loads", () => {
    putPage({ handlers: [http.get("*/api/v1/*", () => delay("infinite"))] });
    expect(screen.getByText("Reading the ledger.")).toBeVisible();
    for (const name of ["Time to first token", "Replicas", "Breakdown", "Latest requests"]) {
      expect(within(panel(name)).getByRole("status"), name).toHaveTextContent("Loading");
    }
    expect(screen.queryByRole("alert")).not.toBeInTheDocument();
  });

  it("teaches how to send the first request when there is none", async () => {
    putPage({ scenario: "empty" });
    const teacher = await screen.findByRole("region", { name: "No requests in the last hour" });
    const command = await within(teacher).findByLabelText("A command that sends a request");
    expect(command).toHaveTextContent("curl -N http://127.0.0.1:8001/v1/chat/completions");
    await waitFor(() => {
      expect(command).toHaveTextContent("meta-llama/Llama-3.3-70B-Instruct");
    });
    expect(panel("Latest requests")).toHaveTextContent("No requests in this window.");
    expect(screen.getByRole("region", { name: "Key figures" })).not.toHaveTextContent("NaN");
  });

  it("says that filters match nothing instead of teaching curl", async () => {
    putPage({ query: "/?model=unheard-of" });
    expect(await screen.findByText("No request matches.")).toBeVisible();
    expect(screen.queryByText(/curl/)).not.toBeInTheDocument();
  });

  it("leads back out of a window in which nothing happened", async () => {
    const { user } = putPage({ scenario: "empty", query: "/?range=6h" });
    await screen.findByText(/No requests in the last 6 hours/);
    act(() => {
      window.history.pushState(
        "streamgauge:moved",
        "",
        "/?from=2026-11-23T03:00:00Z&to=2026-11-23T04:00:00Z",
      );
      window.dispatchEvent(new Event("streamgauge:moved"));
    });
    const chart = await screen.findByRole("region", { name: "Time to first token" });
    await user.click(await within(chart).findByRole("button", { name: "Leave this window" }));
    await waitFor(() => {
      expect(window.location.search).toBe("?range=6h");
    });
  });

  it("leads from a pasted empty window to the last hour", async () => {
    const { user } = putPage({
      scenario: "empty",
      query: "/?from=2026-11-23T03:00:00Z&to=2026-11-23T04:00:00Z",
    });
    const [back] = await screen.findAllByRole("button", { name: "Leave this window" });
    await user.click(back ?? document.body);
    expect(await screen.findByText(/No requests in the last hour/)).toBeVisible();
  });

  it("says in each panel what failed, and recovers when asked again", async () => {
    const { user } = putPage({ scenario: "failing" });
    const list = panel("Latest requests");
    expect(await within(list).findByRole("alert")).toHaveTextContent(
      "Something failed on the server; its log says what.",
    );
    for (const name of ["Time to first token", "Replicas", "Breakdown"]) {
      expect(within(panel(name)).getByRole("alert"), name).toBeVisible();
    }
    expect(screen.getByText("not connected")).toBeVisible();
    const tiles = screen.getByRole("region", { name: "Key figures" });
    expect(within(tiles).getAllByText("–"), "unknown, and not loading for ever").toHaveLength(7);
    repairServer("busy");
    await user.click(within(list).getByRole("button", { name: "Try again" }));
    expect(await requestRows()).toHaveLength(50);
  });

  it("says that nothing answers when nothing does", async () => {
    putPage({ handlers: [http.get("*/api/v1/*", () => HttpResponse.error())] });
    expect(await within(panel("Replicas")).findByRole("alert")).toHaveTextContent(
      "Streamgauge at 127.0.0.1:8002 does not answer; check that it runs.",
    );
  });
});

describe("a page that lost its server", () => {
  it("keeps the last good figures, with their age and the reason", async () => {
    const { queries } = putPage();
    const before = (await requestRows()).length;
    await screen.findByText(/^updated/);
    breakServer();
    await act(async () => {
      await queries.refetchQueries();
    });
    expect(await screen.findByText(/^stale/)).toBeVisible();
    expect(await requestRows()).toHaveLength(before);
    expect(within(panel("Latest requests")).getByText(/^These figures are/)).toHaveTextContent(
      "Something failed on the server",
    );
    const sentence = screen.getByText(/replicas serve/).closest("p");
    expect(sentence, "old figures are no verdict").toHaveAttribute("data-verdict", "unknown");
  });
});
