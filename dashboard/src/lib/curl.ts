/** The command that an empty page shows, ready to be pasted into a shell. */

/** What stands for a model when no replica has said which it serves. */
const ANY_MODEL = "MODEL";

/** A streamed chat through the proxy at this address. */
export function curlFor(proxyUrl: string, model: string | null): string {
  const body = JSON.stringify({
    model: model ?? ANY_MODEL,
    messages: [{ role: "user", content: "Say hello." }],
    stream: true,
  });
  return [
    `curl -N ${quoted(`${proxyUrl.replace(/\/+$/, "")}/v1/chat/completions`)} \\`,
    `  -H 'content-type: application/json' \\`,
    `  -d ${quoted(body)}`,
  ].join("\n");
}

/** A word of a shell: plain when it is harmless, else in single quotes, which only end at a quote. */
function quoted(word: string): string {
  return /^[\w./:@%+=-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
