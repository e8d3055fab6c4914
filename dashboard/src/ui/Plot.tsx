/**
 * The canvas of a chart: uPlot kept in step with React. New figures are put in place; the chart is made
 * anew only when its lines, its unit or the colours change.
 */
import { useEffect, useEffectEvent, useRef } from "react";
import uPlot from "uplot";

import { type Line, type Setting, drawingOrder, plotData, plotOptions } from "./plot-options";
import { usePalette } from "./theme";

/** What a canvas is made from. */
export interface PlotProps {
  readonly times: readonly number[];
  readonly lines: readonly Line[];
  readonly fromMs: number;
  readonly toMs: number;
  /** The unit of the axis: another one needs other labels. */
  readonly unit: string;
  readonly axisText: (value: number) => string;
  /** Whether there are no values between whole numbers. */
  readonly whole: boolean;
  /** Charts with the same key share their cursor. */
  readonly syncKey: string;
  /** The row under the cursor, or `null` when the cursor left. */
  readonly onHover: (row: number | null) => void;
  /** A window was chosen by dragging. */
  readonly onZoom: (fromMs: number, toMs: number) => void;
  /** A double click: back to the window before. */
  readonly onReset: () => void;
}

/** The canvas. It has no words of its own: title, figures and table are the chart's. */
export function Plot(props: PlotProps) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(null);
  const palette = usePalette();
  const shape = shapeOf(props);

  const onHover = useEffectEvent((row: number | null) => {
    props.onHover(row);
  });
  const onZoom = useEffectEvent((fromMs: number, toMs: number) => {
    props.onZoom(fromMs, toMs);
  });
  const onReset = useEffectEvent(() => {
    props.onReset();
  });
  const make = useEffectEvent(
    (element: HTMLElement, setting: Omit<Setting, "axisText" | "syncKey" | "whole">) => {
      const lines = drawingOrder(props.lines);
      const options = plotOptions(lines, {
        ...setting,
        syncKey: props.syncKey,
        axisText: props.axisText,
        whole: props.whole,
      });
      const made = new uPlot(options, plotData(props.times, props.lines), element);
      show(made, props);
      return made;
    },
  );
  const update = useEffectEvent((made: uPlot) => {
    made.setData(plotData(props.times, props.lines), false);
    show(made, props);
  });

  useEffect(() => {
    const element = host.current;
    if (element === null) {
      return undefined;
    }
    const made = make(element, {
      width: element.clientWidth,
      height: element.clientHeight,
      colour: (token) => resolved(element, token),
      onHover: (row) => {
        onHover(row);
      },
      onZoom: (fromMs, toMs) => {
        onZoom(fromMs, toMs);
      },
      onReset: () => {
        onReset();
      },
    });
    plot.current = made;
    const observer = new ResizeObserver(() => {
      made.setSize({ width: element.clientWidth, height: element.clientHeight });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [palette, shape]);

  useEffect(() => {
    if (plot.current !== null) {
      update(plot.current);
    }
  }, [props.times, props.lines, props.fromMs, props.toMs]);

  return <div className="plot" ref={host} aria-hidden="true" />;
}

/** What a chart cannot change without being made anew. */
function shapeOf({ lines, unit, syncKey }: PlotProps): string {
  const described = lines.map((line) => `${line.key} ${line.shape} ${line.colour}`);
  return [unit, syncKey, ...described].join("|");
}

function show(plot: uPlot, { fromMs, toMs }: PlotProps) {
  plot.setScale("x", { min: fromMs / 1_000, max: toMs / 1_000 });
}

/** The colour behind a token as the canvas needs it: tokens are functions of light and dark. */
function resolved(element: HTMLElement, token: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(${token})`;
  element.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
