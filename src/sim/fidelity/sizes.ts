import { kvBlockCount } from "../../engine/kv-capacity.ts";
import { kvBytes, LINKS, transferUs } from "../../engine/kv-transfer.ts";
import type { FindingGroup } from "./finding.ts";
import { labGpu, labModel } from "./lab.ts";

const BLOCK_TOKENS = 16;

type Capacity = readonly [
  model: string,
  gpu: string,
  tensorParallel: number,
  utilization: number,
  blocks: number,
  band: number | undefined,
];

const CAPACITIES: readonly Capacity[] = [
  ["Llama-3.1-70B", "H100", 4, 0.9, 30_251, 0.02],
  ["Mistral-Nemo", "H100", 1, 0.9, 19_251, 0.02],
  ["Mistral-Nemo", "H100", 2, 0.9, 48_009, 0.02],
  ["Yi-34B", "H100", 2, 0.9, 20_793, 0.02],
  ["Qwen2.5-7B", "H100", 1, 0.9, 65_352, 0.02],
  ["Llama-2-7B", "H100", 1, 0.9, 7463, 0.02],
  ["Qwen3-32B", "H100", 2, 0.9, 19_208, undefined],
  ["gpt-oss-120b", "H200", 1, 0.9, 1_630_000 / BLOCK_TOKENS, 0.1],
  ["gpt-oss-120b", "H200", 1, 0.85, 1_220_000 / BLOCK_TOKENS, undefined],
];

/** KV-cache blocks that fit beside the weights. */
export function kvCapacities(): FindingGroup {
  return {
    title: "KV-cache blocks of 16 tokens",
    source: "num_gpu_blocks of vLLM 0.15.1 runs (sim-to-real), llm-d guides (Qwen3-32B, gpt-oss)",
    fittedHere:
      "2.2 GB that the engine keeps for itself; a tenth of a full layer for a sliding one.",
    findings: CAPACITIES.map(([model, gpu, tensorParallel, utilization, published, band]) => ({
      quantity: `${model}, ${gpu} TP${tensorParallel}, utilization ${utilization}`,
      unit: "blocks",
      published,
      simulated: kvBlockCount({
        model: labModel(model),
        gpu: labGpu(gpu),
        tensorParallel,
        gpuMemoryUtilization: utilization,
        blockTokens: BLOCK_TOKENS,
      }),
      band,
    })),
    remarks: ["The engines of the Qwen3-32B run kept about 4 GB; set `--gpu-memory-utilization`."],
  };
}

/** Eight cards of 200 Gbit/s at 64 %, and what a transfer of 128 tokens takes before its first byte. */
const EIGHT_CARDS = { bytesPerSecond: 8 * (200e9 / 8) * 0.64, setUpUs: 400 };
const GIGABYTE = 1e9;

/** Transfers that have their link for themselves. */
export function kvTransfers(): FindingGroup {
  const qwen = labModel("Qwen3-8B");
  const mooncake = [
    [1024, 1.5],
    [4096, 4.75],
    [8192, 8.84],
    [32_768, 31.65],
  ] as const;
  return {
    title: "KV-cache transfers",
    source: "Mooncake documentation (Qwen3-8B TP8, 8 x RoCE), llm-d blog of June 2026 (nixlbench)",
    fittedHere: "The links' effective bandwidths, on the llm-d rows; set-up time, on 128 tokens.",
    findings: [
      ...mooncake.map(([tokens, published]) => ({
        quantity: `Qwen3-8B, ${tokens} tokens over 8 x 200 Gbit/s`,
        unit: "ms",
        published,
        simulated: transferUs(EIGHT_CARDS, kvBytes(qwen, tokens)) / 1000,
        band: tokens === 8192 ? 0.2 : undefined,
      })),
      ...[1, 8].map((gigabytes) => ({
        quantity: `${gigabytes} GB over UCX TCP`,
        unit: "ms",
        published: 1800 * gigabytes,
        simulated: transferUs(LINKS.tcp, gigabytes * GIGABYTE) / 1000,
        band: 0.1,
      })),
      {
        quantity: "8 GB over 400 Gbit/s RDMA, bandwidth",
        unit: "GB/s",
        published: 49.5,
        simulated: 8 / (transferUs(LINKS.rdma, 8 * GIGABYTE) / 1e6),
        band: 0.1,
      },
    ],
    remarks: [],
  };
}
