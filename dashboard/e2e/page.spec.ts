/** The page with traffic, in a real browser: its canvases, its gestures, its sizes and its themes. */
import { type Page, expect } from "@playwright/test";

import { expectAccessible, test } from "./browser";

async function openPage(page: Page, address = "/") {
  await page.goto(address);
  await expect(page.getByRole("button", { name: /^Open request/ }).first()).toBeVisible();
  await expect(page.locator("#ttft canvas"), "the chart is drawn").toBeVisible();
}

test.describe("the page", () => {
  for (const colorScheme of ["light", "dark"] as const) {
    test(`is accessible in ${colorScheme}, with and without a drawer`, async ({ page }) => {
      await page.emulateMedia({ colorScheme });
      await openPage(page);
      await expectAccessible(page);
      await page
        .getByRole("button", { name: /as a table/ })
        .first()
        .click();
      await page
        .getByRole("button", { name: /^Open request/ })
        .first()
        .click();
      await expect(page.getByRole("complementary").getByText(/From the first byte/)).toBeVisible();
      await expectAccessible(page);
    });
  }

  test("shows in its tile the number of requests that the server counted", async ({ page }) => {
    const counted: string[] = [];
    page.on("response", (response) => {
      if (response.url().includes("/api/v1/summary?from=now-1h&")) {
        response.text().then(
          (text) => counted.push(/"requests":(\d+)/.exec(text)?.[1] ?? "none"),
          () => counted.push("unread"),
        );
      }
    });
    await openPage(page);
    const tile = page.getByRole("link", { name: /^Requests/ }).locator(".tile-value");
    await expect(async () => {
      expect(counted).toContain((await tile.innerText()).replaceAll(",", ""));
    }, "the tile has one of the server's counts").toPass({ timeout: 10_000 });
  });

  test("refreshes by itself without losing what is on it", async ({ page }) => {
    await openPage(page);
    const canvas = await page.locator("#ttft canvas").elementHandle();
    await page.waitForResponse((response) => response.url().includes("/api/v1/summary"));
    await page.waitForResponse((response) => response.url().includes("/api/v1/summary"));
    await expect(page.getByText(/^updated/)).toBeVisible();
    expect(await canvas.evaluate((element) => element.isConnected), "the same canvas").toBe(true);
  });

  test("turns amber when its server is gone, and keeps the last figures", async ({
    page,
    complaints,
  }) => {
    await openPage(page);
    const rows = await page.getByRole("button", { name: /^Open request/ }).count();
    await page.route("**/api/v1/**", (route) => route.abort());
    await expect(page.getByText(/^stale/)).toBeVisible();
    await expect(page.getByText(/does not answer; check that it runs/).first()).toBeVisible();
    expect(await page.getByRole("button", { name: /^Open request/ }).count()).toBe(rows);
    // The browser reports each of the answers that this test took away.
    complaints.length = 0;
  });

  test("zooms by a drag on a chart and comes back by a double click", async ({ page }) => {
    await openPage(page);
    const plot = page.locator("#ttft .u-over");
    await plot.scrollIntoViewIfNeeded();
    const box = await plot.boundingBox();
    if (box === null) {
      throw new Error("the chart has no place on the screen");
    }
    // To the right edge: a fresh ledger has requests there only, and a window without any has no chart.
    await page.mouse.move(box.x + box.width * 0.4, box.y + 40);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width - 1, box.y + 40, { steps: 5 });
    await page.mouse.up();
    await expect(page).toHaveURL(/from=.*&to=/);
    await expect(page.getByText("fixed window")).toBeVisible();
    await plot.dblclick({ position: { x: 60, y: 40 } });
    await expect(page).not.toHaveURL(/from=/);
  });

  test("reads all charts out at the moment under the cursor", async ({ page }) => {
    await openPage(page);
    const moment = (id: string) => page.locator(`#${id} .legend-moment`);
    await expect(moment("itl")).toContainText("last:");
    await page.locator("#ttft .u-over").hover();
    await expect(moment("ttft")).not.toContainText("last:");
    await expect(moment("itl"), "the cursor is shared").not.toContainText("last:");
  });

  test("keeps the reader's theme over a reload, before the first paint", async ({ page }) => {
    await page.emulateMedia({ colorScheme: "light" });
    await openPage(page);
    const ground = () =>
      page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    const light = await ground();
    const button = page.getByRole("button", { name: /press to change/ });
    await button.click();
    await button.click();
    await expect(button).toHaveAccessibleName(/^Dark colours/);
    expect(await ground(), "another ground").not.toBe(light);
    await page.reload({ waitUntil: "commit" });
    await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  });

  for (const [name, width, height] of [
    ["a phone", 360, 780],
    ["a wall", 3840, 2160],
  ] as const) {
    test(`fits ${name} without scrolling sideways`, async ({ page }) => {
      await page.setViewportSize({ width, height });
      await openPage(page);
      const scrolled = await page.evaluate(() => document.documentElement.scrollWidth);
      expect(scrolled).toBeLessThanOrEqual(width);
      await expectAccessible(page);
    });
  }
});
