import { OVERHEAD_MS } from "../scenario.ts";
import type { Finding, FindingGroup } from "./finding.ts";
import { labEngine, labPool, RANDOM_CONFIG } from "./lab.ts";
import { runExperiment } from "./single-service.ts";

interface Instance {
  readonly model: string;
  readonly tensorParallel: number;
  readonly batchedTokens: number;
  readonly blocks: number;
  readonly prompt: readonly [system: number, question: number, output: number];
  readonly groups: number;
  /** Requests a second, then E2E and TTFT means in ms. */
  readonly stages: readonly (readonly [perSecond: number, e2e: number, ttft: number])[];
}

const GENERAL = { prompt: [100, 447, 248], groups: 9 } as const;
const CODE = { prompt: [100, 466, 247], groups: 11 } as const;
const REASONING = { prompt: [100, 934, 1448], groups: 23 } as const;

// inference-sim/sim-to-real, results_trainval/error_records.csv: vLLM 0.15.1 on H100.
const INSTANCES: readonly Instance[] = [
  {
    model: "Llama-3.1-70B",
    tensorParallel: 4,
    batchedTokens: 8192,
    blocks: 30_251,
    ...GENERAL,
    stages: [
      [2.5, 4208, 52],
      [6, 4625, 54.4],
    ],
  },
  {
    model: "Llama-3.1-70B",
    tensorParallel: 4,
    batchedTokens: 2048,
    blocks: 30_425,
    ...CODE,
    stages: [
      [5, 4495, 54.7],
      [10, 5014, 59.8],
    ],
  },
  {
    model: "Mistral-Nemo",
    tensorParallel: 2,
    batchedTokens: 1024,
    blocks: 48_009,
    ...GENERAL,
    stages: [
      [2.5, 1497, 22],
      [6, 1549, 21.6],
    ],
  },
  {
    model: "Mistral-Nemo",
    tensorParallel: 1,
    batchedTokens: 2048,
    blocks: 19_251,
    ...CODE,
    stages: [
      [5, 2450, 31.9],
      [10, 2628, 33.7],
    ],
  },
  {
    model: "Qwen2.5-7B",
    tensorParallel: 1,
    batchedTokens: 2048,
    blocks: 65_352,
    prompt: [150, 600, 251],
    groups: 10,
    stages: [[6, 1772, 26.7]],
  },
  {
    model: "Qwen2.5-7B",
    tensorParallel: 1,
    batchedTokens: 1024,
    blocks: 65_368,
    ...REASONING,
    stages: [[1, 10_662, 30.8]],
  },
  {
    model: "Yi-34B",
    tensorParallel: 2,
    batchedTokens: 2048,
    blocks: 20_793,
    ...GENERAL,
    stages: [
      [2.5, 3780, 46.7],
      [6, 3939, 47.1],
    ],
  },
  {
    model: "Llama-2-7B",
    tensorParallel: 1,
    batchedTokens: 2048,
    blocks: 7463,
    ...CODE,
    stages: [
      [5, 1810, 25],
      [10, 2216, 29.5],
    ],
  },
  {
    model: "Llama-2-7B",
    tensorParallel: 1,
    batchedTokens: 2048,
    blocks: 7463,
    ...REASONING,
    stages: [[1, 17_062, 55.1]],
  },
];

const E2E_BAND = 0.15;

/** One engine without a router, beside measurements; a stage lasts `seconds`. */
export async function singleInstances(seconds: number): Promise<FindingGroup> {
  const findings: Finding[] = [];
  for (const instance of INSTANCES) findings.push(...(await instanceFindings(instance, seconds)));
  return {
    title: "Single instances of vLLM 0.15.1 on H100",
    source: "inference-sim/sim-to-real, error_records.csv: constant rate, shared system prompts",
    fittedHere:
      "By eye: memory efficiency 0.85, 15 us a layer, 12 us an all-reduce, and 7 ms for client and server.",
    findings,
    remarks: ["Llama-4-Scout FP8 was measured as well; its shape is not built in."],
  };
}

async function instanceFindings(instance: Instance, seconds: number): Promise<readonly Finding[]> {
  const { model, tensorParallel, prompt, stages } = instance;
  const [systemTokens, questionTokens, outputTokens] = prompt;
  const engine = labEngine(model, "H100", {
    tensorParallel,
    blockCount: instance.blocks,
    maxNumBatchedTokens: instance.batchedTokens,
    maxNumSeqs: 128,
  });
  const ladder = stages.map(([perSecond]) => ({ perSecond, seconds }));
  const report = await runExperiment({
    config: RANDOM_CONFIG,
    engines: labPool("both", 1, engine),
    workload: "shared-prefix",
    // Every question is a new one.
    params: {
      groups: instance.groups,
      promptsPerGroup: 0,
      systemTokens,
      questionTokens,
      outputTokens,
    },
    pace: { kind: "open", arrivals: "constant", ladder },
    settings: { overheadMs: OVERHEAD_MS.direct, networkMs: 0 },
  });
  const summaries = report.stages.length > 0 ? report.stages : [report];
  return stages.flatMap(([perSecond, e2e, ttft], index) => {
    const at = `${model} TP${tensorParallel}, ${outputTokens} out, ${perSecond} req/s`;
    const summary = summaries[index];
    return [
      {
        quantity: `${at}: E2E mean`,
        unit: "ms",
        published: e2e,
        simulated: summary?.e2eMs?.mean ?? 0,
        band: E2E_BAND,
      },
      {
        quantity: `${at}: TTFT mean`,
        unit: "ms",
        published: ttft,
        simulated: summary?.ttftMs?.mean ?? 0,
        band: undefined,
      },
    ];
  });
}
