import { createStepCost } from "../../engine/step-cost.ts";
import { OVERHEAD_MS } from "../scenario.ts";
import type { Finding, FindingGroup } from "./finding.ts";
import { labEngine, labGpu, labModel, labPool, RANDOM_CONFIG, SPLIT_CONFIG } from "./lab.ts";
import { runExperiment } from "./single-service.ts";

/** Prompt tokens, and milliseconds to the first token in the two published runs. */
const PREFILL: readonly (readonly [tokens: number, blog: number, guide: number])[] = [
  [2048, 78, 70.6],
  [8192, 250, 205.4],
  [16_384, 510, 426.3],
  [32_768, 1173, 983],
  [49_152, 1988, 1695],
];

/** Prompts alone on one H200, and one decode step on four. */
export async function gptOssSteps(): Promise<FindingGroup> {
  const engine = labEngine("gpt-oss-120b", "H200", { maxNumBatchedTokens: 8192 });
  const findings: Finding[] = [];
  for (const [promptTokens, blog, guide] of PREFILL) {
    const report = await runExperiment({
      config: RANDOM_CONFIG,
      engines: labPool("both", 1, engine),
      workload: "fixed",
      params: { promptTokens, outputTokens: 1 },
      pace: { kind: "closed", ladder: [{ concurrency: 1 }] },
      requests: 1,
      settings: { overheadMs: OVERHEAD_MS.longPrompts, networkMs: 0 },
    });
    const simulated = report.ttftMs?.mean ?? 0;
    const isNearBlog = Math.abs(simulated - blog) < Math.abs(simulated - guide);
    const published = isNearBlog ? blog : guide;
    const quantity = `prefill of ${promptTokens} tokens, nearer of two runs`;
    findings.push({ quantity, unit: "ms", published, simulated, band: 0.1 });
  }
  const decode = {
    quantity: "decode step of 32 sequences at 5125 tokens, TP4",
    unit: "ms",
    published: 5.7,
    simulated: decodeStepMs(32, 5125),
    band: 0.1,
  };
  return {
    title: "gpt-oss-120b on H200",
    source: "llm-d P2P guide and blog (prefill), guides/pd-disaggregation (decode)",
    fittedHere:
      "Prefill: GEMM share 0.47 of peak, attention 0.50, 25 ms overhead. Decode: nothing.",
    findings: [...findings, decode],
    remarks: [],
  };
}

/** Prefill and decode apart: 8 engines on one H200 each, 2 on four; 45 requests at once, every second. */
export async function gptOssSplit(seconds: number): Promise<FindingGroup> {
  const blockTokens = 128;
  const prefill = labEngine("gpt-oss-120b", "H200", { blockTokens });
  const decode = labEngine("gpt-oss-120b", "H200", { blockTokens, tensorParallel: 4 });
  const report = await runExperiment({
    config: SPLIT_CONFIG,
    engines: [...labPool("prefill", 8, prefill), ...labPool("decode", 2, decode)],
    workload: "fixed",
    params: { promptTokens: 5000, outputTokens: 250 },
    pace: { kind: "open", arrivals: "burst", ladder: [{ perSecond: 45, seconds }] },
    settings: { overheadMs: OVERHEAD_MS.longPrompts },
  });
  const finding = (quantity: string, published: number, ms = 0, band?: number): Finding => ({
    quantity,
    unit: "s",
    published,
    simulated: ms / 1000,
    band,
  });
  return {
    title: "gpt-oss-120b, 8 prefill + 2 decode engines on H200",
    source:
      "llm-d benchmark-results/vllm-gpt-oss-120b-h200-multi-tier (vLLM 0.27.1): 5000 in, 250 out, " +
      "45 req/s in bursts of one second",
    fittedHere: "",
    findings: [
      finding("TTFT mean", 0.518, report.ttftMs?.mean, 0.25),
      finding("TTFT p95", 1.052, report.ttftMs?.p95, 0.25),
      finding("E2E mean", 2.355, report.e2eMs?.mean),
      finding("E2E p95", 2.9, report.e2eMs?.p95),
      {
        ...finding("TPOT mean (other cluster)", 5.7, (report.tpotMs?.mean ?? 0) * 1000),
        unit: "ms",
      },
    ],
    remarks: [
      "The same topology on another cluster gave a mean TTFT of 1.157 s: single runs differ that much.",
    ],
  };
}

function decodeStepMs(decodes: number, contextTokens: number): number {
  const cost = createStepCost(labModel("gpt-oss-120b"), labGpu("H200"), 4);
  const stepUs = cost.stepUs({
    newTokens: decodes,
    sequences: decodes,
    prefillAttentionUs: 0,
    decodes,
    decodeContextTokens: decodes * contextTokens,
    sharedContextTokens: 0,
  });
  return stepUs / 1000;
}
