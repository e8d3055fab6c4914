/** The keys of the page: which one does what, in one table that the help sheet shows too. */

/** What a key does. */
export type Command = "filter" | "time" | "next" | "previous" | "close" | "pause" | "help";

interface Key {
  readonly key: string;
  readonly command: Command;
  readonly words: string;
}

/** Every key, in the order of the help sheet. */
export const KEYS: readonly Key[] = [
  { key: "/", command: "filter", words: "Go to the filters" },
  { key: "t", command: "time", words: "Go to the time range" },
  { key: "j", command: "next", words: "Next request" },
  { key: "k", command: "previous", words: "Request before" },
  { key: "Escape", command: "close", words: "Close what is open" },
  { key: "p", command: "pause", words: "Pause or go on refreshing" },
  { key: "?", command: "help", words: "Show or hide this list" },
];

/** What a key press asks for; nothing while text is typed or a modifier is held. */
export function commandFor(event: KeyboardEvent): Command | null {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) {
    return null;
  }
  const { target } = event;
  const typing =
    target instanceof HTMLInputElement ||
    target instanceof HTMLTextAreaElement ||
    target instanceof HTMLSelectElement;
  if (typing && event.key !== "Escape") {
    return null;
  }
  return KEYS.find(({ key }) => key === event.key)?.command ?? null;
}
