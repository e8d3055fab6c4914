/** Colours of names: always one of the eight, always the same, and well spread. */
import { describe, expect, it } from "vitest";

import { NAME_COLOURS, nameColour } from "./palette";

describe("the colour of a name", () => {
  it("is one of the tokens that tokens.css defines", () => {
    for (const name of ["", "a", "gpu-01:8000", "模型"]) {
      expect(nameColour(name)).toMatch(/^--name-[1-8]$/);
    }
  });

  it("does not change between loads", () => {
    // Fixed on purpose: a change of the hash would recolour every chart that people know by heart.
    expect(["gpu-01:8000", "gpu-02:8000", "gpu-03:8000"].map(nameColour)).toMatchInlineSnapshot(`
      [
        "--name-4",
        "--name-5",
        "--name-2",
      ]
    `);
  });

  it("differs between neighbours of a fleet", () => {
    const names = ["1", "2", "3", "4", "5", "6", "7"].map((digit) => `10.0.0.${digit}:8000`);
    expect(new Set(names.map(nameColour)).size).toBe(7);
  });

  it("spreads the names of a fleet over all colours", () => {
    const names = Array.from({ length: 64 }, (_, index) => `10.0.0.${index}:8000`);
    const used = new Map<string, number>();
    for (const name of names) {
      const colour = nameColour(name);
      used.set(colour, (used.get(colour) ?? 0) + 1);
    }
    expect(used.size).toBe(NAME_COLOURS);
    expect(Math.max(...used.values()), "no colour has a third of them").toBeLessThan(64 / 3);
  });
});
