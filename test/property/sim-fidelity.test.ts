import assert from "node:assert/strict";
import { createReadStream, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import test from "node:test";
import { errorOf, type FindingGroup, isMiss } from "../../src/sim/fidelity/finding.ts";
import { gptOssSplit, gptOssSteps } from "../../src/sim/fidelity/gpt-oss.ts";
import { labEngine, labPool, RANDOM_CONFIG, SPLIT_CONFIG } from "../../src/sim/fidelity/lab.ts";
import { mooncakeHits } from "../../src/sim/fidelity/mooncake-hits.ts";
import { renderFidelity } from "../../src/sim/fidelity/render-fidelity.ts";
import { runLadder, sharedPrefixLadder } from "../../src/sim/fidelity/shared-prefix-ladder.ts";
import { singleInstances } from "../../src/sim/fidelity/single-instance.ts";
import { runExperiment } from "../../src/sim/fidelity/single-service.ts";
import { kvCapacities, kvTransfers } from "../../src/sim/fidelity/sizes.ts";

/** Where the public traces lie, if they are on this machine; the repository does not ship them. */
const TRACE_FOLDER =
  process.env["SWITCHYARD_TRACES"] ?? join(import.meta.dirname, "../../../shared/traces");
const MOONCAKE = join(TRACE_FOLDER, "mooncake-conversation.jsonl");

function assertReproduced({ title, findings }: FindingGroup): void {
  const misses = findings.filter(isMiss).map((finding) => {
    const error = (100 * errorOf(finding)).toFixed(1);
    return `${finding.quantity}: ${finding.simulated} for ${finding.published} (${error} %)`;
  });
  assert.deepEqual(misses, [], title);
  assert.ok(
    findings.some(({ band }) => band !== undefined),
    title,
  );
}

test("fidelity: both arms of the shared-prefix ladder are within their bands", async () => {
  // Every fourth rate or so: the page has all of them.
  for (const group of await sharedPrefixLadder([15, 20, 60])) assertReproduced(group);
});

test("fidelity: the random arm's knee is between 15 and 20 req/s, the prefix arm has none up to 60", async () => {
  const seconds = async (arm: "random" | "prefix", rates: readonly number[]) => {
    const stages = await runLadder(arm, rates);
    return rates.map((rate) => (stages.get(rate)?.ttftMs?.mean ?? 0) / 1000);
  };
  const [below = 9, above = 0] = await seconds("random", [15, 20]);
  assert.ok(below < 2 && above > 10, `${below} s, then ${above} s`);
  const [slow = 9, fast = 9] = await seconds("prefix", [15, 60]);
  assert.ok(slow < 0.3 && fast < 0.3, `${slow} s, then ${fast} s`);
});

test("fidelity: at 60 req/s prefix-aware routing gives 2.4 to 2.6 times the tokens", async () => {
  const tokens = async (arm: "random" | "prefix") =>
    (await runLadder(arm, [60])).get(60)?.outputTokensPerSecond ?? 0;
  const ratio = (await tokens("prefix")) / (await tokens("random"));
  assert.ok(ratio > 2.4 && ratio < 2.6, `${ratio}`);
});

test("fidelity: single instances of vLLM", async () => {
  assertReproduced(await singleInstances(40));
});

test("fidelity: gpt-oss prefill and decode", async () => {
  assertReproduced(await gptOssSteps());
});

test("fidelity: the split burst", async () => {
  assertReproduced(await gptOssSplit(30));
});

test("fidelity: KV-cache sizes and transfers", () => {
  assertReproduced(kvCapacities());
  assertReproduced(kvTransfers());
});

test("fidelity: prefix hits of the Mooncake trace at every cache size", async (context) => {
  if (!existsSync(MOONCAKE)) {
    context.skip(`${MOONCAKE} is not there; SWITCHYARD_TRACES names the folder of the traces`);
    return;
  }
  assertReproduced(await mooncakeHits(createInterface({ input: createReadStream(MOONCAKE) })));
});

test("fidelity: under a high load prefill apart gives faster tokens and a later first one", async () => {
  const common = {
    workload: "fixed",
    params: { promptTokens: 5000, outputTokens: 250 },
    pace: { kind: "open", arrivals: "burst", ladder: [{ perSecond: 45, seconds: 30 }] },
    settings: {},
  } as const;
  const one = labEngine("gpt-oss-120b", "H200", {});
  const four = labEngine("gpt-oss-120b", "H200", { tensorParallel: 4 });
  const split = await runExperiment({
    ...common,
    config: SPLIT_CONFIG,
    engines: [...labPool("prefill", 8, one), ...labPool("decode", 2, four)],
  });
  const whole = await runExperiment({
    ...common,
    config: RANDOM_CONFIG,
    engines: labPool("both", 16, one),
  });
  // Published: 25 ms against 5.7 ms a token, 0.53 s against 1.16 s to the first (llm-d, 16 H200).
  assert.ok((split.tpotMs?.mean ?? 9) < 0.7 * (whole.tpotMs?.mean ?? 0));
  assert.ok((split.ttftMs?.mean ?? 0) > (whole.ttftMs?.mean ?? 9e9));
});

test("fidelity: docs/fidelity.md shows what the engine gives today", async () => {
  const page = readFileSync(join(import.meta.dirname, "../../docs/fidelity.md"), "utf8");
  // The groups that take no time; the ladder is in the tests above.
  const quick = [kvCapacities(), kvTransfers(), await gptOssSteps(), await singleInstances(150)];
  for (const group of quick) {
    const rendered = renderFidelity([group]);
    const section = rendered.slice(rendered.indexOf("\n## "));
    assert.ok(page.includes(section), `${group.title}: generate the page anew`);
  }
});

test("fidelity: the page shows a miss as one", () => {
  const finding = { quantity: "x", unit: "ms", published: 100, band: 0.1 };
  const group = { title: "T", source: "s", fittedHere: "", remarks: [] };
  const page = renderFidelity([
    {
      ...group,
      findings: [
        { ...finding, simulated: 105 },
        { ...finding, simulated: 120 },
      ],
    },
  ]);
  assert.match(page, /2 of the numbers have a band .* 1 of those miss/);
  assert.match(page, /\| x \| ms \| 100 \| 105 \| \+5\.0 % \| 10 % \| \|/);
  assert.match(page, /\| x \| ms \| 100 \| 120 \| \+20\.0 % \| 10 % \| \*\*miss\*\* \|/);
});
