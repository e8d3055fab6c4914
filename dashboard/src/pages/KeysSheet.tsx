/** The sheet that lists the keys, over the page until it is closed. */
import { useEffect, useRef } from "react";

import { Icon } from "../ui/icons";
import { KEYS } from "./keys";

/** What is said of keys that are not in the table: the browser's own, and the charts' gestures. */
const MORE = [
  ["Enter", "Open the row that has the focus"],
  ["Drag", "on a chart: show only that time"],
  ["Double click", "on a chart: back to the window before"],
] as const;

/** The sheet. */
export function KeysSheet({ onClose }: { readonly onClose: () => void }) {
  const close = useRef<HTMLButtonElement>(null);

  useEffect(() => {
    const before = document.activeElement;
    close.current?.focus();
    return () => {
      if (before instanceof HTMLElement) {
        before.focus();
      }
    };
  }, []);

  return (
    <div className="keys-backdrop">
      <div className="keys" role="dialog" aria-modal="true" aria-labelledby="keys-title">
        <div className="panel-head">
          <h2 id="keys-title">Keyboard shortcuts</h2>
          <div className="panel-actions">
            <button
              type="button"
              className="control"
              aria-label="Close"
              ref={close}
              onClick={onClose}
            >
              <Icon name="close" />
            </button>
          </div>
        </div>
        <dl>
          {[...KEYS.map(({ key, words }) => [key, words] as const), ...MORE].map(([key, words]) => (
            <div key={key} className="keys-row">
              <dt>
                <kbd>{key === "Escape" ? "Esc" : key}</kbd>
              </dt>
              <dd>{words}</dd>
            </div>
          ))}
        </dl>
      </div>
    </div>
  );
}
