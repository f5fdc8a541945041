import assert from "node:assert/strict";
import { test } from "node:test";
import type { ConfigNote } from "../config/router-config.ts";
import { parseSource } from "../config/source-text.ts";
import { type ConfigFault, describeFault } from "../core/config-error.ts";
import { readEngineArguments } from "./engine-arguments.ts";
import { readEngineEnvironment } from "./engine-environment.ts";
import type { EngineArguments } from "./service.ts";

interface Read {
  readonly engine: EngineArguments;
  readonly faults: readonly string[];
  readonly notes: readonly string[];
}

/** Reads a container whose `VLLM_ADDITIONAL_ARGS` and `args` are given. */
function read(additional: string, args: readonly string[] = []): Read {
  const faults: ConfigFault[] = [];
  const notes: ConfigNote[] = [];
  const container = { env: [{ name: "VLLM_ADDITIONAL_ARGS", value: additional }], args };
  const [root] = parseSource({ text: JSON.stringify(container), file: "f" }, faults);
  const { words } = readEngineEnvironment(root, { name: "n", namespace: "ns" });
  const engine = readEngineArguments(words, notes);
  return { engine, faults: faults.map(describeFault), notes: notes.map(({ message }) => message) };
}

const NOTHING: Omit<EngineArguments, "flags"> = {
  blockSize: undefined,
  maxModelLen: undefined,
  gpuMemoryUtilization: undefined,
  maxNumSeqs: undefined,
  maxNumBatchedTokens: undefined,
  tensorParallelSize: undefined,
  isPrefixCachingEnabled: true,
  kvTransfer: undefined,
  isKvEventsEnabled: false,
};
const NIXL = { connector: "NixlConnector", role: "kv_both", loadFailurePolicy: "fail" } as const;
const NIXL_JSON = '{"kv_connector":"NixlConnector","kv_role":"kv_both"}';

const GOOD: readonly (readonly [
  text: string,
  want: Partial<EngineArguments>,
  args?: readonly string[],
])[] = [
  ["", {}],
  ["serve model", {}],
  ["--block-size 128", { blockSize: 128 }],
  ["--block_size=128", { blockSize: 128 }],
  ["--block-size 16 --block-size 32", { blockSize: 32 }],
  ["--block-size 16", { blockSize: 64 }, ["--block-size", "64"]],
  ["--max-model-len 8k", { maxModelLen: 8000 }],
  ["--max-model-len=1.5K", { maxModelLen: 1536 }],
  ["--max-model-len -1", {}],
  ["--max-model-len auto", {}],
  [
    "--max-num-seqs 64 --max-num-batched-tokens 2M",
    { maxNumSeqs: 64, maxNumBatchedTokens: 2_097_152 },
  ],
  ["--gpu-memory-utilization 0.85", { gpuMemoryUtilization: 0.85 }],
  ["-tp 2", { tensorParallelSize: 2 }],
  ["--tensor-parallel-size=4", { tensorParallelSize: 4 }],
  ["--no-enable-prefix-caching", { isPrefixCachingEnabled: false }],
  ["--no-enable-prefix-caching --enable-prefix-caching", { isPrefixCachingEnabled: true }],
  ["--enable-prefix-caching --no_enable_prefix_caching", { isPrefixCachingEnabled: false }],
  [`--kv_transfer_config '${NIXL_JSON}'`, { kvTransfer: NIXL }],
  [`--kv-transfer-config='${NIXL_JSON}'`, { kvTransfer: NIXL }],
  ["", { kvTransfer: NIXL }, ["--kv-transfer-config", NIXL_JSON]],
  [
    `--kv-transfer-config '{"kv_connector":"X","kv_role":"kv_consumer","kv_load_failure_policy":"recompute"}'`,
    { kvTransfer: { connector: "X", role: "kv_consumer", loadFailurePolicy: "recompute" } },
  ],
  [`--kv-events-config '{"enable_kv_cache_events":true}'`, { isKvEventsEnabled: true }],
  [`--kv-events-config '{"publisher":"zmq"}'`, {}],
];

for (const [text, want, args = []] of GOOD) {
  test(`engine arguments: ${[text, ...args].join(" ")}`, () => {
    const { engine, faults, notes } = read(text, args);
    const { flags: _, ...settings } = engine;
    assert.deepEqual(settings, { ...NOTHING, ...want });
    assert.deepEqual([faults, notes], [[], []]);
  });
}

const BAD: readonly (readonly [text: string, fault: RegExp])[] = [
  ["--block-size 0", /--block-size must be a positive integer, not "0"/],
  ["--block-size", /--block-size must be a positive integer, not "true"/],
  ["--max-num-seqs 1.5", /positive integer/],
  ["--max-model-len 8kb", /such as 8192 or 8k/],
  ["--gpu-memory-utilization 90", /at most 1/],
  ["--gpu-memory-utilization ''", /at most 1/],
  ["--enable-prefix-caching=false", /takes no value/],
  ["--kv-transfer-config {kv_connector:x}", /must be a JSON object/],
  ["--kv-transfer-config '[]'", /must be a JSON object/],
  ["--kv-transfer-config '{}'", /needs a kv_connector/],
  [
    `--kv-transfer-config '{"kv_connector":"N"}'`,
    /needs a kv_role.*allowed: kv_both, kv_producer, kv_consumer/,
  ],
  [
    NIXL_JSON.replace(
      /.*/,
      (json) => `--kv-transfer-config '${json.replace("}", ',"kv_load_failure_policy":"retry"}')}'`,
    ),
    /allowed: fail, recompute/,
  ],
  [`--kv-events-config '{"enable_kv_cache_events":1}'`, /true or false/],
  ["--kv-transfer-config '{", /has a ' that is never closed/],
  ["--block-size \\", /backslash/],
];

for (const [text, fault] of BAD) {
  test(`engine arguments: ${text} is a fault where the text stands`, () => {
    const { faults } = read(text);
    assert.equal(faults.length, 1);
    assert.match(faults[0] ?? "", /^f:1:40: env\[0\]\.value: /);
    assert.match(faults[0] ?? "", fault);
  });
}

test("engine arguments: all flags are kept, those without effect are noted", () => {
  const { engine, notes } = read("--disable-uvicorn-access-log --seed -1 --block-size 16");
  assert.deepEqual(
    [...engine.flags],
    [
      ["disable-uvicorn-access-log", "true"],
      ["seed", "-1"],
      ["block-size", "16"],
    ],
  );
  assert.deepEqual(notes, [
    "vLLM argument --disable-uvicorn-access-log has no effect here",
    "vLLM argument --seed has no effect here",
  ]);
});
