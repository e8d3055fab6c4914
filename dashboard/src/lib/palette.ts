/** The colour of a name: the same on every chart and page, whatever else is shown beside it. */

/** How many colours for names there are: `--name-1` to `--name-8`. */
export const NAME_COLOURS = 8;

/**
 * The token of the colour of a name. It comes from a hash, so that a replica keeps its colour when
 * others come and go; two names may share one, and therefore the name always stands beside it.
 */
export function nameColour(name: string): string {
  return `--name-${(fnv1a(name) % NAME_COLOURS) + 1}`;
}

/**
 * FNV-1a over the text's code units. It is left unmixed on purpose: its low bits then follow those of
 * each character, so that neighbours such as `gpu-01` to `gpu-07` get different colours.
 */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash >>> 0;
}
