import assert from "node:assert/strict";
import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { type Browser, chromium } from "playwright-core";
import { EXAMPLES, runCli } from "../fixtures/running-up.ts";

const CHROMIUM = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
const skip = existsSync(CHROMIUM)
  ? false
  : "Chromium is not installed: apt-get install chromium, or name one in CHROMIUM";

// As root in a container Chromium has no sandbox of its own; the rest keeps it off the network.
const ARGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const folder = mkdtempSync(join(tmpdir(), "switchyard-"));
const page = join(folder, "compare.html");
let browser: Browser | undefined;

before(async () => {
  if (skip !== false) return;
  const { code, stderr } = await runCli([
    "compare",
    ...EXAMPLES,
    "--normalize",
    "--seeds",
    "1",
    "--requests",
    "100",
    "--html",
    page,
  ]);
  assert.equal(code, 0, stderr);
  browser = await chromium.launch({ executablePath: CHROMIUM, args: ARGS });
});
after(() => browser?.close());

for (const colorScheme of ["light", "dark"] as const) {
  test(`compare page: ${colorScheme}: complete, readable and by itself`, { skip }, async () => {
    assert.ok(browser !== undefined);
    const context = await browser.newContext({
      colorScheme,
      viewport: { width: 1200, height: 900 },
    });
    const tab = await context.newPage();
    const faults: string[] = [];
    tab.on("console", (message) => void faults.push(message.text()));
    tab.on("pageerror", (error) => void faults.push(error.message));
    const requests: string[] = [];
    tab.on("request", (request) => void requests.push(request.url()));
    await tab.goto(pathToFileURL(page).href);

    assert.deepEqual(faults, []);
    assert.equal(requests.length, 1, "nothing is fetched beside the page");
    assert.match((await tab.locator("h1").textContent()) ?? "", /gpt-oss-20b and qwen-pd/);
    for (const title of [
      "Measured",
      "Latency against load",
      "Who is better where",
      "A request's way",
    ]) {
      assert.ok(await tab.getByRole("heading", { name: title }).first().isVisible(), title);
    }
    const plots = await tab.locator("svg").all();
    assert.ok(plots.length >= 8, `${plots.length} plots`);
    for (const plot of plots) {
      const box = await plot.boundingBox();
      assert.ok(box !== null && box.width > 50 && box.height > 20, "a plot has a size");
    }
    const overflow = await tab.evaluate("document.documentElement.scrollWidth - innerWidth");
    assert.ok(Number(overflow) <= 0, "nothing is cut off at 1200 pixels");
    const [text, ground] = await Promise.all(
      ["color", "background-color"].map((name) => luminanceOf(tab, name)),
    );
    assert.ok(text !== undefined && ground !== undefined);
    assert.equal(ground > text, colorScheme === "light");
    const contrast = (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05);
    assert.ok(contrast > 7, `contrast ${contrast}`);
    await tab.screenshot({ path: join(folder, `${colorScheme}.png`), fullPage: true });
    assert.ok(existsSync(join(folder, `${colorScheme}.png`)));
    await context.close();
  });
}

/** Relative luminance (WCAG 2) of a colour of the page's body. */
async function luminanceOf(
  tab: Awaited<ReturnType<Browser["newPage"]>>,
  property: string,
): Promise<number> {
  const colour = String(
    await tab.evaluate(`getComputedStyle(document.body).getPropertyValue("${property}")`),
  );
  const channels = Array.from(colour.matchAll(/[\d.]+/g), ([digits]) => Number(digits) / 255);
  const [red = 0, green = 0, blue = 0] = channels.map((channel) =>
    channel <= 0.03928 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4,
  );
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
