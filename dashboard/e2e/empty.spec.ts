/** The page of a fresh ledger: it teaches, and the first request appears on it by itself. */
import { expect } from "@playwright/test";

import { MOCKED, expectAccessible, sendTraffic, test } from "./browser";

const EMPTY_URL = process.env.STREAMGAUGE_EMPTY_URL ?? "/";

test.describe("an empty ledger", () => {
  test("teaches the exact command for this proxy", async ({ page }) => {
    await page.goto(EMPTY_URL);
    const command = page.getByLabel("A command that sends a request");
    await expect(command, "the ledger must be fresh for this test").toBeVisible();
    await expect(command).toContainText(/curl -N http:\/\/\S+\/v1\/chat\/completions/);
    const latest = page.getByRole("region", { name: "Latest requests", exact: true }).first();
    await expect(latest).toContainText("No requests in this window.");
    const sentence = page.locator("[data-verdict]");
    await expect(sentence).toContainText("No requests in this window.");
    await expect(sentence, "nothing is known to be good").toHaveAttribute(
      "data-verdict",
      "unknown",
    );
  });

  for (const colorScheme of ["light", "dark"] as const) {
    test(`is accessible in ${colorScheme}`, async ({ page }) => {
      await page.emulateMedia({ colorScheme });
      await page.goto(EMPTY_URL);
      await expect(page.getByLabel("A command that sends a request")).toBeVisible();
      await expectAccessible(page);
    });
  }

  test("shows the first requests without a reload", async ({ page, request }) => {
    test.skip(MOCKED, "the mock backend has no proxy to send requests through");
    await page.goto(EMPTY_URL);
    await expect(page.getByLabel("A command that sends a request")).toBeVisible();
    await sendTraffic(request);
    const row = page.getByRole("button", { name: /^Open request/ }).first();
    await expect(row, "the first request on the page").toBeVisible();
    await expect(page.getByRole("region", { name: "Time to first token" })).toBeVisible();
    await expect(page.getByLabel("A command that sends a request")).toBeHidden();
  });
});
