/** The bar on top: the window, the filters, how fresh the page is, and how it looks. */
import { useFacets, useSummary } from "../api/queries";
import { sentenceOf } from "../api/client";
import { FILTERS, type FilterName } from "../lib/address";
import { age } from "../lib/format";
import { dayAndClock } from "../lib/ticks";
import { RANGES, refreshMs } from "../lib/window";
import { BrandMark, Icon } from "../ui/icons";
import { Choice, FilterSelect } from "../ui/parts";
import { type Theme, useTheme } from "../ui/theme";
import { useNow } from "./clock";
import { usePage } from "./usePage";

/** The bar. */
export function TopBar({ onHelp }: { readonly onHelp: () => void }) {
  const { paused, setPaused } = usePage();
  const pauseLabel = paused ? "Go on refreshing (p)" : "Pause refreshing (p)";
  return (
    <header className="bar">
      <h1 className="brand">
        <BrandMark />
        streamgauge
      </h1>
      <WindowChoice />
      <FilterBar />
      <div className="bar-end">
        <Freshness />
        <button
          type="button"
          className="control"
          aria-pressed={paused}
          aria-label={pauseLabel}
          title={pauseLabel}
          onClick={() => {
            setPaused(!paused);
          }}
        >
          <Icon name={paused ? "play" : "pause"} />
        </button>
        <ThemeButton />
        <button
          type="button"
          className="control"
          aria-label="Keyboard shortcuts (?)"
          title="Keyboard shortcuts (?)"
          onClick={onHelp}
        >
          <Icon name="help" />
        </button>
      </div>
    </header>
  );
}

function WindowChoice() {
  const { address, setWindow } = usePage();
  const { window } = address;
  return (
    <div className="bar-group" id="window-choice">
      <Choice
        label="Time range"
        values={RANGES}
        chosen={window.kind === "live" ? window.range : null}
        onChoose={(range) => {
          setWindow({ kind: "live", range });
        }}
      />
      {window.kind === "live" ? null : (
        <button
          type="button"
          className="control"
          aria-pressed="true"
          title="Back to the last hour"
          onClick={() => {
            setWindow({ kind: "live", range: "1h" });
          }}
        >
          {dayAndClock(window.fromMs)} to {dayAndClock(window.toMs)}
          <Icon name="close" />
        </button>
      )}
    </div>
  );
}

/** Whether a stream was asked for is always one of two. */
const STREAM_VALUES = ["true", "false"];

function FilterBar() {
  const { address, scope, setFilter, clearFilters } = usePage();
  const facets = useFacets(scope).data;
  const offered = (name: FilterName): readonly string[] =>
    name === "stream" ? STREAM_VALUES : (facets?.[name] ?? []);
  // A filter with one value has nothing to choose, unless it is set.
  const useful = FILTERS.filter(
    (name) => offered(name).length > 1 || address.filters[name] !== undefined,
  );
  const set = Object.keys(address.filters).length;
  return (
    <div className="filters" id="filter-choice" role="group" aria-label="Filters">
      {useful.map((name) => (
        <FilterSelect
          key={name}
          name={name}
          values={offered(name)}
          value={address.filters[name]}
          onChange={(value) => {
            setFilter(name, value);
          }}
        />
      ))}
      {set === 0 ? null : (
        <button type="button" className="control" onClick={clearFilters}>
          Clear {set === 1 ? "filter" : `${set} filters`}
        </button>
      )}
    </div>
  );
}

/** Refreshes that may be missed before the page is called stale. */
const MISSED_MAX = 3;

function Freshness() {
  const { scope, paused } = usePage();
  const { dataUpdatedAt, error, data } = useSummary(scope);
  const now = useNow();
  if (data === undefined) {
    return <FreshnessWords state="stale" words={error === null ? "" : "not connected"} />;
  }
  const old = now - dataUpdatedAt;
  const pace = refreshMs(scope.window);
  if (paused) {
    return <FreshnessWords state="still" words={`paused, ${age(old)} old`} />;
  }
  if (pace === false) {
    return <FreshnessWords state="still" words="fixed window" />;
  }
  const stale = error !== null || old > pace * MISSED_MAX;
  return (
    <FreshnessWords
      state={stale ? "stale" : "fresh"}
      words={stale ? `stale, ${age(old)} old` : updatedWords(old)}
      title={error === null ? undefined : sentenceOf(error)}
    />
  );
}

function updatedWords(oldMs: number): string {
  return oldMs < 1_000 ? "updated just now" : `updated ${age(oldMs)} ago`;
}

function FreshnessWords({
  state,
  words,
  title,
}: {
  readonly state: "fresh" | "stale" | "still";
  readonly words: string;
  readonly title?: string | undefined;
}) {
  return (
    <span className={`freshness freshness-${state}`} title={title} data-state={state}>
      {words === "" ? null : <span className="freshness-dot" aria-hidden="true" />}
      {words}
    </span>
  );
}

const THEME_WORDS: Readonly<Record<Theme, string>> = {
  system: "Colours as the system has them",
  light: "Light colours",
  dark: "Dark colours",
};

function ThemeButton() {
  const [theme, turn] = useTheme();
  return (
    <button
      type="button"
      className="control"
      aria-label={`${THEME_WORDS[theme]}; press to change`}
      title={THEME_WORDS[theme]}
      onClick={turn}
    >
      <Icon name={theme} />
    </button>
  );
}
