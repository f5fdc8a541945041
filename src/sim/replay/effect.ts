import type { PoolReplay } from "./replay-report.ts";

/** What the other configuration would have done to a pool, a sentence each. */
export function effectOf(pool: PoolReplay): readonly string[] {
  const { config, requests, changedCount, movedCount, before, after } = pool;
  if (config === null || requests === 0) return [];
  if (changedCount === 0) return ["No request would have fared differently."];
  const sentences = [
    `${movedCount} of ${requests} requests (${percent(movedCount / requests)}) would have gone to ` +
      "another endpoint.",
  ];
  if (pool.prefillChangedCount > 0) {
    sentences.push(`${pool.prefillChangedCount} would have another prefill endpoint, or none.`);
  }
  if (pool.newlyRejectedCount > 0) {
    sentences.push(
      `${pool.newlyRejectedCount} would have been refused` +
        (pool.newlyRejectedCount === requests
          ? ": the pool's endpoints do not suit this configuration."
          : "."),
    );
  }
  if (pool.newlyAdmittedCount > 0) {
    sentences.push(`${pool.newlyAdmittedCount} that were refused would have been served.`);
  }
  const gain = after.prefixHitRatio - before.prefixHitRatio;
  sentences.push(
    Math.abs(gain) < NOTABLE_RATIO
      ? "About as much of the prompts would have been found cached."
      : `By the router's own index ${percent(Math.abs(gain))} ${gain > 0 ? "more" : "less"} of the ` +
          `prompts would have been found cached: ${gain > 0 ? "less" : "more"} prefill work.`,
  );
  const spread = after.imbalanceRequests - before.imbalanceRequests;
  sentences.push(
    Math.abs(spread) < NOTABLE_REQUESTS
      ? "Requests would have been spread about as evenly."
      : `The fullest endpoint would have stood ${Math.abs(spread).toFixed(2)} requests ` +
          `${spread > 0 ? "further above" : "closer to"} the mean.`,
  );
  return sentences;
}

/** What a replay of another configuration cannot know. */
export const REPLAY_LIMITS: string =
  "Metrics, KV events, health and the times of answers are those of the recorded run. From the first " +
  "request that goes elsewhere they would have been different, so the figures show a tendency and no " +
  "latency is predicted; simulate --trace with this file lets engines answer the same load.";

const NOTABLE_RATIO = 0.001;
const NOTABLE_REQUESTS = 0.05;

function percent(ratio: number): string {
  return `${(100 * ratio).toFixed(1)} %`;
}
