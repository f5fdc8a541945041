import { KV_TRANSFER_RULES } from "./kv-transfer-rules.ts";
import { NETWORK_RULES } from "./network-rules.ts";
import { PICKER_FLAG_RULES } from "./picker-flag-rules.ts";
import { POOL_PARITY_RULES } from "./pool-parity-rules.ts";
import { PREFIX_CACHE_RULES } from "./prefix-cache-rules.ts";
import { PROBE_RULES } from "./probe-rules.ts";
import { RESOURCE_RULES } from "./resource-rules.ts";
import type { Rule } from "./rule.ts";
import { SCORE_RULES } from "./score-rules.ts";
import { SERVING_RULES } from "./serving-rules.ts";
import { STAGE_RULES } from "./stage-rules.ts";
import type { Subject } from "./subject.ts";
import { TIMING_RULES } from "./timing-rules.ts";
import { VERSION_RULES } from "./version-rules.ts";

/** Every rule about one file. */
export const FILE_RULES: readonly Rule<Subject>[] = [
  ...PICKER_FLAG_RULES,
  ...VERSION_RULES,
  ...SERVING_RULES,
  ...STAGE_RULES,
  ...PREFIX_CACHE_RULES,
  ...SCORE_RULES,
  ...TIMING_RULES,
  ...KV_TRANSFER_RULES,
  ...POOL_PARITY_RULES,
  ...NETWORK_RULES,
  ...RESOURCE_RULES,
  ...PROBE_RULES,
];
