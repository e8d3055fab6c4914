/**
 * Light or dark: the system's choice unless the reader made one. The choice is an attribute of the
 * document and a word in the browser's storage; `public/theme.js` sets it before the first paint.
 */
import { useSyncExternalStore } from "react";

/** What the reader chose. */
export type Theme = "system" | "light" | "dark";

const KEY = "streamgauge.theme";
const DARK = "(prefers-color-scheme: dark)";
const CONTRAST = "(prefers-contrast: more)";

/** The order in which the button goes round. */
const NEXT: Readonly<Record<Theme, Theme>> = { system: "light", light: "dark", dark: "system" };

const listeners = new Set<() => void>();

/** The reader's choice, and the next one. */
export function useTheme(): readonly [theme: Theme, turn: () => void] {
  const theme = useSyncExternalStore(subscribe, chosen);
  return [
    theme,
    () => {
      choose(NEXT[theme]);
    },
  ];
}

/**
 * A word that changes whenever colours do: by the reader's choice, or by the system's. What is painted
 * on a canvas must be painted again then.
 */
export function usePalette(): string {
  return useSyncExternalStore(subscribe, palette);
}

function chosen(): Theme {
  const word = document.documentElement.dataset.theme;
  return word === "light" || word === "dark" ? word : "system";
}

function palette(): string {
  const dark = chosen() === "dark" || (chosen() === "system" && matchMedia(DARK).matches);
  return `${dark ? "dark" : "light"}${matchMedia(CONTRAST).matches ? " contrast" : ""}`;
}

function choose(theme: Theme) {
  if (theme === "system") {
    delete document.documentElement.dataset.theme;
  } else {
    document.documentElement.dataset.theme = theme;
  }
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // A browser that stores nothing still shows the choice until it is closed.
  }
  for (const listener of listeners) {
    listener();
  }
}

function subscribe(listener: () => void): () => void {
  const queries = [matchMedia(DARK), matchMedia(CONTRAST)];
  listeners.add(listener);
  for (const query of queries) {
    query.addEventListener("change", listener);
  }
  return () => {
    listeners.delete(listener);
    for (const query of queries) {
      query.removeEventListener("change", listener);
    }
  };
}
