import type { ConfigNote } from "../config/router-config.ts";
import { type EngineFlag, type EngineWord, parseEngineFlags } from "./engine-flags.ts";
import type { EngineArguments, KvTransferConfig } from "./service.ts";

/** Reads vLLM's command line; arguments that change nothing here become notes. */
export function readEngineArguments(
  words: readonly EngineWord[],
  notes: ConfigNote[],
): EngineArguments {
  const flags = parseEngineFlags(words);
  for (const [name, { node }] of flags) {
    if (EFFECTIVE_FLAGS.has(name)) continue;
    notes.push({ message: `vLLM argument --${name} has no effect here`, position: node.position });
  }
  const tokens = (name: string): number | undefined => readTokenCount(flags.get(name));
  const count = (name: string): number | undefined => readCount(flags.get(name));
  return {
    blockSize: count("block-size"),
    maxModelLen: tokens("max-model-len"),
    gpuMemoryUtilization: readShare(flags.get("gpu-memory-utilization")),
    maxNumSeqs: count("max-num-seqs"),
    maxNumBatchedTokens: tokens("max-num-batched-tokens"),
    tensorParallelSize: count("tensor-parallel-size"),
    isPrefixCachingEnabled: !flags.has("no-enable-prefix-caching"),
    kvTransfer: readKvTransfer(flags.get("kv-transfer-config")),
    isKvEventsEnabled: readKvEvents(flags.get("kv-events-config")),
    flags: new Map(Array.from(flags, ([name, { value }]) => [name, value])),
  };
}

/** A flag that holds a positive number of things. */
export function readCount(flag: EngineFlag | undefined): number | undefined {
  if (flag === undefined) return undefined;
  const count = Number(flag.value);
  if (/^\d+$/.test(flag.value) && Number.isSafeInteger(count) && count > 0) return count;
  return refuse(flag, "must be a positive integer");
}

const EFFECTIVE_FLAGS: ReadonlySet<string> = new Set([
  "block-size",
  "max-model-len",
  "gpu-memory-utilization",
  "max-num-seqs",
  "max-num-batched-tokens",
  "tensor-parallel-size",
  "pipeline-parallel-size",
  "data-parallel-size",
  "enable-prefix-caching",
  "no-enable-prefix-caching",
  "kv-transfer-config",
  "kv-events-config",
]);

const KV_ROLES = ["kv_both", "kv_producer", "kv_consumer"] as const;
const LOAD_FAILURE_POLICIES = ["fail", "recompute"] as const;

/** vLLM `human_readable_int`: small letters are decimal, capitals binary. */
const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  k: 1e3,
  m: 1e6,
  g: 1e9,
  K: 1024,
  M: 1024 ** 2,
  G: 1024 ** 3,
};

function readTokenCount(flag: EngineFlag | undefined): number | undefined {
  // `auto` and -1 leave the choice to vLLM.
  if (flag === undefined || flag.value === "auto" || flag.value === "-1") return undefined;
  const match = /^(\d+(?:\.\d+)?)([kmgKMG]?)$/.exec(flag.value);
  const count = Number(match?.[1]) * (UNITS[match?.[2] ?? ""] ?? Number.NaN);
  if (match !== null && Number.isSafeInteger(count) && count > 0) return count;
  return refuse(flag, "must be a positive number of tokens, such as 8192 or 8k");
}

function readShare(flag: EngineFlag | undefined): number | undefined {
  if (flag === undefined) return undefined;
  const share = flag.value.trim() === "" ? Number.NaN : Number(flag.value);
  if (share > 0 && share <= 1) return share;
  return refuse(flag, "must be a number above 0 and at most 1");
}

function readKvTransfer(flag: EngineFlag | undefined): KvTransferConfig | undefined {
  const config = readJsonObject(flag);
  if (flag === undefined || config === undefined) return undefined;
  const { kv_connector: connector, kv_load_failure_policy: policy = "fail" } = config;
  const role = KV_ROLES.find((known) => known === config["kv_role"]);
  const loadFailurePolicy = LOAD_FAILURE_POLICIES.find((known) => known === policy);
  if (typeof connector !== "string" || connector === "")
    return refuse(flag, "needs a kv_connector");
  if (role === undefined) return refuse(flag, "needs a kv_role", KV_ROLES);
  if (loadFailurePolicy === undefined)
    return refuse(flag, "has an unknown kv_load_failure_policy", LOAD_FAILURE_POLICIES);
  return { connector, role, loadFailurePolicy };
}

function readKvEvents(flag: EngineFlag | undefined): boolean {
  const isEnabled = readJsonObject(flag)?.["enable_kv_cache_events"];
  if (flag !== undefined && isEnabled !== undefined && typeof isEnabled !== "boolean")
    refuse(flag, "needs true or false for enable_kv_cache_events");
  return isEnabled === true;
}

function readJsonObject(
  flag: EngineFlag | undefined,
): Readonly<Record<string, unknown>> | undefined {
  if (flag === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(flag.value);
    if (typeof value === "object" && value !== null && !Array.isArray(value))
      return value as Readonly<Record<string, unknown>>;
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
  }
  return refuse(flag, "must be a JSON object");
}

function refuse(flag: EngineFlag, message: string, allowed?: readonly string[]): undefined {
  const { node, name, value } = flag;
  node.fault(`--${name} ${message}, not ${JSON.stringify(value.slice(0, 200))}`, allowed);
}
