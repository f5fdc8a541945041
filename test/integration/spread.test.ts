import assert from "node:assert/strict";
import { test } from "node:test";
import { RunningUp } from "../fixtures/running-up.ts";

interface Metrics {
  readonly waitingQueueDepth: number | null;
  readonly scrapedWaitingQueueDepth: number | null;
}
interface DecisionView {
  readonly endpoint: string;
  readonly profiles: readonly {
    candidates: readonly { endpoint: string; rank: number; metrics: Metrics }[];
  }[];
}

const SCRAPED_ONCE = ["--scrape-interval-ms", "3600000"];

/** Sends unrelated prompts at once and returns their decisions; no scrape comes in between. */
async function burst(up: RunningUp, count: number): Promise<readonly DecisionView[]> {
  // Each endpoint was scraped once at the start, while it was idle.
  await up.until(async () => {
    const endpoints = await up.admin<readonly { metricsAgeMs: number | null }[]>("/api/endpoints");
    return endpoints.every(({ metricsAgeMs }) => metricsAgeMs !== null);
  });
  await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const prompt = `${index} ${`word-${index * 7919} `.repeat(60)}`;
      const body = JSON.stringify({
        model: "openai/gpt-oss-20b",
        prompt,
        max_tokens: 200,
        ignore_eos: true,
      });
      const answer = await fetch(`${up.url}/v1/completions`, { method: "POST", body });
      assert.equal(answer.status, 200);
      await answer.arrayBuffer();
    }),
  );
  return up.admin<readonly DecisionView[]>(`/api/decisions?limit=${count}`);
}

function sharesOf(decisions: readonly DecisionView[]): readonly number[] {
  const counts = new Map<string, number>();
  for (const { endpoint } of decisions) counts.set(endpoint, (counts.get(endpoint) ?? 0) + 1);
  return [...counts.values()].map((count) => count / decisions.length);
}

test("spread: sixty-four prompts between two scrapes take all four endpoints, and the decisions say why", async () => {
  await using up = await RunningUp.start(["examples/gpt-oss-20b.yaml", ...SCRAPED_ONCE]);
  const decisions = await burst(up, 64);
  const shares = sharesOf(decisions);
  assert.equal(shares.length, 4);
  for (const share of shares) assert.ok(share <= 0.6, `one endpoint took ${share}`);
  const corrected = decisions.flatMap(({ profiles }) =>
    profiles.flatMap(({ candidates }) =>
      candidates.filter(
        ({ metrics }) => (metrics.waitingQueueDepth ?? 0) > (metrics.scrapedWaitingQueueDepth ?? 0),
      ),
    ),
  );
  assert.ok(corrected.length > 0, "what was sent since the scrape shows in the decisions");
});

test("spread: without the correction the last scrape stands, as in llm-d", async () => {
  const args = ["examples/gpt-oss-20b.yaml", ...SCRAPED_ONCE, "--metrics-correction", "off"];
  await using up = await RunningUp.start(args);
  for (const { profiles } of await burst(up, 8)) {
    for (const { metrics } of profiles.flatMap(({ candidates }) => candidates)) {
      assert.equal(metrics.waitingQueueDepth, metrics.scrapedWaitingQueueDepth);
    }
  }
});
