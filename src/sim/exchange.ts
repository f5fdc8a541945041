import type { RequestId } from "../core/brand.ts";
import type { Outcome, PdOutcome } from "../core/exchange-report.ts";
import type { DecisionNumber } from "../director/router-core.ts";
import type { EngineFinish } from "../engine/engine-core.ts";
import type { IdPrompt } from "./id-prompt.ts";
import type { SimulatedEngine } from "./simulated-engine.ts";
import type { AnsweredRequest } from "./tally.ts";
import type { WorkloadRequest } from "./workload/workload.ts";

/** A decided request until its end. Times are virtual microseconds. */
export interface Exchange {
  readonly id: RequestId;
  readonly workload: WorkloadRequest;
  readonly prompt: IdPrompt;
  readonly sentUs: number;
  readonly decision: DecisionNumber;
  /** Engine that the answer comes from. */
  readonly target: SimulatedEngine;
  /** Engine that computes the prompt first, when the request is split. */
  readonly prefill: SimulatedEngine | undefined;
  isPrefilling: boolean;
  firstTokenUs: number;
  /** Prompt tokens found in the cache of the engine that computes the prompt. */
  cachedTokens: number;
  preemptionCount: number;
  transfer: { readonly bytes: number; readonly ms: number } | undefined;
}

/** The figures of a request whose last token reaches the client at `endUs`. */
export function answeredRequest(
  exchange: Exchange,
  finish: EngineFinish,
  networkUs: number,
): AnsweredRequest {
  const { sentUs, firstTokenUs, prompt, workload } = exchange;
  const { outputTokens } = workload;
  return {
    ttftMs: (firstTokenUs + networkUs - sentUs) / 1000,
    tpotMs: outputTokens > 1 ? (finish.atUs - firstTokenUs) / (outputTokens - 1) / 1000 : undefined,
    e2eMs: (finish.atUs + networkUs - sentUs) / 1000,
    promptTokens: prompt.tokenCount,
    outputTokens,
    cachedTokens: exchange.cachedTokens,
    preemptionCount: exchange.preemptionCount,
  };
}

/** What the router hears when a request ends; without an answer it ended with an error. */
export function outcomeOf(
  exchange: Exchange,
  status: number,
  answer: AnsweredRequest | undefined,
): Outcome {
  return {
    status,
    usage: {
      promptTokens: exchange.prompt.tokenCount,
      completionTokens: answer?.outputTokens ?? 0,
      cachedTokens: exchange.cachedTokens,
    },
    chunkCount: answer?.outputTokens ?? 0,
    ttftMs: answer?.ttftMs ?? null,
    itlMs: answer?.tpotMs ?? null,
    e2eMs: answer?.e2eMs ?? 0,
    wallMs: answer?.e2eMs ?? 0,
    retryCount: 0,
    responseBytes: 0,
    pd: pdOutcome(exchange),
  };
}

function pdOutcome({ prefill, transfer, cachedTokens }: Exchange): PdOutcome | undefined {
  if (prefill === undefined) return undefined;
  return {
    outcome: "remote",
    reason: null,
    prefillEndpoint: prefill.spec.name,
    prefillMs: null,
    handleBlocks: null,
    kvBytes: transfer?.bytes ?? null,
    kvMs: transfer?.ms ?? null,
    kvHandshakeMs: null,
    prefillCachedTokens: cachedTokens,
    decodeCachedTokens: null,
  };
}
