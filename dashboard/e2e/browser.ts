/** What the browser tests share: a page whose complaints are collected, axe, and traffic. */
import { type APIRequestContext, type Page, expect, test as base } from "@playwright/test";
import axe from "axe-core";

/** Whether the mock backend answers instead of the real binary. */
export const MOCKED = process.env.STREAMGAUGE_MOCK === "1";

/** Requests that are sent before the page is looked at. */
const REQUESTS = 6;

interface Complaints {
  /** Everything that the browser complained about on its console, and every uncaught error. */
  readonly complaints: string[];
}

/** A test that fails when the browser complained. */
export const test = base.extend<Complaints>({
  complaints: [
    async ({ page }, use) => {
      const heard: string[] = [];
      page.on("console", (message) => {
        if (message.type() === "error" || message.type() === "warning") {
          heard.push(`${message.type()}: ${message.text()}`);
        }
      });
      page.on("pageerror", (error) => {
        heard.push(`uncaught: ${error.message}`);
      });
      await use(heard);
      expect(heard, "the browser's console").toEqual([]);
    },
    { auto: true },
  ],
});

declare global {
  interface Window {
    axe: typeof axe;
  }
}

/** Fails with the list of what axe finds on the page as it is now. */
export async function expectAccessible(page: Page) {
  await page.evaluate(axe.source);
  const found = await page.evaluate(async () => {
    const { violations } = await window.axe.run(document, {
      runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    });
    return violations.map(({ id, help, nodes }) => ({
      id,
      help,
      where: nodes.map((node) => `${node.html} ${node.failureSummary ?? ""}`).slice(0, 3),
    }));
  });
  expect(found, "what axe found").toEqual([]);
}

/** Sends requests through the proxy that the server names, and reads their answers to the end. */
export async function sendTraffic(request: APIRequestContext) {
  const about: unknown = await (await request.get("/api/v1/about")).json();
  const proxy = memberOf(about, "proxy_url");
  const models = await request.get(`${proxy}/v1/models`);
  expect(models.ok(), `the models at ${proxy}`).toBe(true);
  const listed: unknown = await models.json();
  const [first] = listOf(listed, "data");
  for (let sent = 0; sent < REQUESTS; sent += 1) {
    const answer = await request.post(`${proxy}/v1/chat/completions`, {
      data: {
        model: memberOf(first, "id"),
        messages: [{ role: "user", content: `Count to ${sent + 3}.` }],
        stream: true,
        max_tokens: 32,
      },
    });
    expect(answer.ok(), `the answer of request ${sent}`).toBe(true);
    await answer.body();
  }
}

function memberOf(value: unknown, name: string): string {
  const found: unknown = isObject(value) ? value[name] : undefined;
  if (typeof found !== "string") {
    throw new Error(`${JSON.stringify(value)} has no text named "${name}"`);
  }
  return found;
}

function listOf(value: unknown, name: string): unknown[] {
  const found: unknown = isObject(value) ? value[name] : undefined;
  if (!Array.isArray(found)) {
    throw new Error(`${JSON.stringify(value)} has no list named "${name}"`);
  }
  return found;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
