/** The few signs of the page, drawn on a grid of 16. They carry no meaning without the words beside them. */

/** Every sign. */
export type IconName =
  | "bad"
  | "chevron"
  | "close"
  | "copy"
  | "dark"
  | "down"
  | "good"
  | "help"
  | "light"
  | "pause"
  | "play"
  | "quiet"
  | "system"
  | "table"
  | "up"
  | "warn"
  | "zoom-out";

const PATHS: Readonly<Record<IconName, string>> = {
  bad: "M4 4l8 8M12 4l-8 8",
  chevron: "M4 6l4 4 4-4",
  close: "M4 4l8 8M12 4l-8 8",
  copy: "M6 6h7v7H6zM10 6V3H3v7h3",
  dark: "M13 9.5A5.5 5.5 0 0 1 6.5 3 5.5 5.5 0 1 0 13 9.5z",
  down: "M8 3v10M4 9l4 4 4-4",
  good: "M3.5 8.5l3 3 6-7",
  help: "M6 6a2 2 0 1 1 3 1.7c-.7.4-1 .8-1 1.6M8 12v.01",
  light:
    "M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6z" +
    "M8 1.5V3M8 13v1.5M1.5 8H3M13 8h1.5M3.5 3.5l1 1M11.5 11.5l1 1M3.5 12.5l1-1M11.5 4.5l1-1",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  play: "M5 3.5l7 4.5-7 4.5z",
  quiet: "M3.5 8h9",
  system: "M2.5 3.5h11v7h-11zM6 13.5h4",
  table: "M2.5 3.5h11v9h-11zM2.5 6.5h11M2.5 9.5h11M6.5 3.5v9",
  up: "M8 13V3M4 7l4-4 4 4",
  warn: "M8 2.5l6 11H2zM8 6.5v3M8 11.5v.01",
  "zoom-out": "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zM10.5 10.5l3 3M5 7h4",
};

/** One sign. It is hidden from screen readers: its control has the words. */
export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}

/** The mark of the product: a staff gauge in a stream. */
export function BrandMark() {
  return (
    <svg viewBox="0 0 18 18" aria-hidden="true" focusable="false">
      <path
        d="M6 1.5v15M6 4h4M6 7h2.5M6 10h4"
        fill="none"
        stroke="currentColor"
        strokeWidth="1.75"
        strokeLinecap="round"
      />
      <path
        d="M1.5 13.5c1.5-1.5 3-1.5 4.5 0s3 1.5 4.5 0 3-1.5 6 0"
        fill="none"
        stroke="currentColor"
        strokeWidth="1.75"
        strokeLinecap="round"
      />
    </svg>
  );
}
