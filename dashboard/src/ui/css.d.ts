/**
 * The custom properties that components hand to the style sheets. Naming them here keeps them typed:
 * no other property can be set this way.
 */
import "react";

declare module "react" {
  interface CSSProperties {
    /** The colour of a swatch or of a part of a bar: `var(--token)`. */
    "--swatch"?: string;
    /** The share of a meter that is filled, 0 to 1. */
    "--share"?: number;
    /** How strongly a cell is tinted, 0 to 1. */
    "--tint"?: number;
    /** The colour of a sparkline: `var(--token)`. */
    "--spark-colour"?: string;
  }
}
