/** The geometry of a sparkline. */
import { isKnown } from "./format";
import { type Column, largest } from "./series";

/** Room for the line's own width above its highest point. */
const HEADROOM = 2;

/**
 * The path of a line over the whole width, from zero at the bottom to the largest value at the top.
 * A gap lifts the pen. A value between two gaps becomes a dash one step wide, or nobody would see it.
 */
export function sparkPath(values: Column, width: number, height: number): string {
  const most = largest([values]);
  if (most === null) {
    return "";
  }
  const step = values.length > 1 ? width / (values.length - 1) : width;
  const top = most > 0 ? most : 1;
  const commands: string[] = [];
  values.forEach((value, row) => {
    if (!isKnown(value)) {
      return;
    }
    const y = height - 1 - (value / top) * (height - 1 - HEADROOM);
    const alone = !isKnown(values[row - 1]) && !isKnown(values[row + 1]);
    if (alone) {
      const start = Math.max(0, row * step - step / 2);
      commands.push(`M${short(start)} ${short(y)}h${short(Math.min(step, width - start))}`);
    } else {
      commands.push(`${isKnown(values[row - 1]) ? "L" : "M"}${short(row * step)} ${short(y)}`);
    }
  });
  return commands.join("");
}

function short(value: number): string {
  return String(Math.round(value * 100) / 100);
}
