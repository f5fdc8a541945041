import { z } from "zod";
import {
  kvBlockCount,
  kvBlockTokens,
  kvCacheUsage,
  NUMERIC_ATTRIBUTES,
  type NumericAttribute,
  runningRequests,
  waitingQueueDepth,
} from "../endpoints/numeric-attribute.ts";

/** What llm-d calls the columns: its extractor's specs without `Spec`, and vLLM's metrics and labels. */
const OTHER_NAMES: readonly (readonly [name: string, attribute: NumericAttribute])[] = [
  ["queuedRequests", waitingQueueDepth],
  ["vllm:num_requests_waiting", waitingQueueDepth],
  ["num_requests_waiting", waitingQueueDepth],
  ["vllm:num_requests_running", runningRequests],
  ["num_requests_running", runningRequests],
  ["kvUsage", kvCacheUsage],
  ["vllm:kv_cache_usage_perc", kvCacheUsage],
  ["vllm:gpu_cache_usage_perc", kvCacheUsage],
  ["kv_cache_usage_perc", kvCacheUsage],
  ["cacheNumBlocks", kvBlockCount],
  ["num_gpu_blocks", kvBlockCount],
  ["cacheBlockSize", kvBlockTokens],
  ["block_size", kvBlockTokens],
];

const byName: ReadonlyMap<string, NumericAttribute> = new Map([
  ...NUMERIC_ATTRIBUTES.map((attribute) => [attribute.name, attribute] as const),
  ...OTHER_NAMES,
]);

/** Parameter that names a column of the endpoint table; an unknown name lists the known ones. */
export const endpointAttribute: z.ZodType<NumericAttribute> = z
  .enum([...byName.keys()])
  .transform((name) => byName.get(name) as NumericAttribute);
