import { forSplit } from "./for-manifest.ts";
import type { Rule } from "./rule.ts";
import { flagPosition, type PoolView, type Subject } from "./subject.ts";

/** Rules about engine arguments that must agree between prefill and decode. */
export const POOL_PARITY_RULES: readonly Rule<Subject>[] = [
  {
    id: "D6",
    severity: "error",
    group: "D",
    title: "block sizes that differ between the pools",
    why: "Blocks are transferred as they are: decode refuses those of another size.",
    fix: "Give both pools the same --block-size.",
    check: forSplit(({ decode, prefill }) =>
      differing(decode, prefill, ["block-size"], (name, ours, theirs) => ({
        message: `--${name} is ${ours} on decode and ${theirs} on prefill`,
        position: flagPosition(prefill, name),
      })),
    ),
  },
  {
    id: "D7",
    severity: "error",
    group: "D",
    title: "engines that do not compute the same cache",
    why:
      "The handshake compares a hash of model and cache settings: engines that differ " +
      "refuse each other, and a decode context shorter than prefill's rejects what " +
      "prefill took.",
    fix: "Give both pools the same arguments; --max-model-len of decode at least prefill's.",
    check: forSplit(({ decode, prefill }) => [
      ...differing(decode, prefill, CACHE_FLAGS, (name, ours, theirs) => ({
        message: `--${name} is ${ours} on decode and ${theirs} on prefill`,
        position: flagPosition(prefill, name),
      })),
      ...shorterContext(decode, prefill),
    ]),
  },
  {
    id: "D8",
    severity: "warning",
    group: "D",
    title: "tensor parallelism that differs between the pools",
    why:
      "Blocks are then split or joined on the way, which NIXL does for some layouts only: " +
      "decode's degree must be a multiple of prefill's.",
    fix: "Use the same degree, or a multiple on decode, and test it with your vLLM.",
    check: forSplit(({ decode, prefill }) => {
      const [ours, theirs] = [degree(decode), degree(prefill)];
      if (ours === theirs) return [];
      const isMultiple = ours % theirs === 0;
      const message =
        `tensor parallelism ${ours} on decode, ${theirs} on ` +
        `prefill${isMultiple ? "" : ": not a multiple"}`;
      const position = prefill.node.positionOf(["parallelism", "tensor"]);
      return [{ message, position, severity: isMultiple ? "warning" : "error" }];
    }),
  },
  {
    id: "D9",
    severity: "error",
    group: "D",
    title: "speculative decoding on one side",
    why:
      "The draft model's layers are part of the cache: a side without them has blocks of " +
      "another shape.",
    fix: "Give --speculative-config to both pools, or to none.",
    check: forSplit(({ decode, prefill }) => {
      const flag = "speculative-config";
      const has = (view: PoolView): boolean => view.pool.engineArguments.flags.has(flag);
      if (has(decode) === has(prefill)) return [];
      const view = has(decode) ? decode : prefill;
      const message = `--${flag} on the ${view.pool.role} pool alone`;
      return [{ message, position: flagPosition(view, flag) }];
    }),
  },
  {
    id: "D10",
    severity: "warning",
    group: "D",
    title: "very different shares of GPU memory",
    why:
      "The smaller cache fills while the larger one is idle, and some vLLM releases " +
      "refuse transfers between different block counts.",
    fix: "Keep --gpu-memory-utilization within 0.2 of each other.",
    check: forSplit(({ decode, prefill }) => {
      const share = ({ pool }: PoolView): number =>
        pool.engineArguments.gpuMemoryUtilization ?? GPU_MEMORY_SHARE;
      const [ours, theirs] = [share(decode), share(prefill)];
      if (Math.abs(ours - theirs) <= 0.2) return [];
      const message = `--gpu-memory-utilization ${ours} on decode, ${theirs} on prefill`;
      const view =
        decode.pool.engineArguments.gpuMemoryUtilization === undefined ? prefill : decode;
      return [{ message, position: flagPosition(view, "gpu-memory-utilization") }];
    }),
  },
];

/** vLLM's default of `--gpu-memory-utilization`. */
const GPU_MEMORY_SHARE = 0.9;
/** Flags that change what a cached block holds. */
const CACHE_FLAGS = [
  "dtype",
  "quantization",
  "kv-cache-dtype",
  "attention-backend",
  "served-model-name",
  "revision",
] as const;

function differing<Found>(
  decode: PoolView,
  prefill: PoolView,
  flags: readonly string[],
  tell: (flag: string, decode: string, prefill: string) => Found,
): readonly Found[] {
  return flags.flatMap((flag) => {
    const ours = decode.pool.engineArguments.flags.get(flag);
    const theirs = prefill.pool.engineArguments.flags.get(flag);
    return ours === theirs ? [] : [tell(flag, ours ?? "the default", theirs ?? "the default")];
  });
}

function shorterContext(
  decode: PoolView,
  prefill: PoolView,
): readonly { readonly message: string; readonly position: ReturnType<typeof flagPosition> }[] {
  const ours = decode.pool.engineArguments.maxModelLen;
  const theirs = prefill.pool.engineArguments.maxModelLen;
  if (ours === undefined || ours >= (theirs ?? Number.POSITIVE_INFINITY)) return [];
  const message = `--max-model-len ${ours} on decode is below prefill's ${theirs ?? "default"}`;
  return [{ message, position: flagPosition(decode, "max-model-len") }];
}

function degree({ pool }: PoolView): number {
  return pool.engineArguments.tensorParallelSize ?? pool.parallelism.tensor;
}
