import { barePath } from "../../core/bare-path.ts";
import type { ModelName, RequestId } from "../../core/brand.ts";
import { type ExchangeReport, NO_USAGE } from "../../core/exchange-report.ts";
import type { EndCause, RejectionReason } from "../../core/rejection.ts";
import type { InferenceRequest } from "../../request/inference-request.ts";
import type { ExtProcContext } from "./extproc-context.ts";

/** Report of an exchange that no engine got. */
export function reportOf(
  { pool, clock }: Pick<ExtProcContext, "pool" | "clock">,
  asked: {
    readonly id: RequestId;
    readonly path: string;
    readonly arrivedAtMs: number;
    readonly arrivedWallMs: number;
  },
  facts: {
    readonly how: EndCause | "rejected";
    readonly rejection: RejectionReason | undefined;
    readonly status: number;
    readonly responseBytes: number;
    readonly requestBytes?: number;
    readonly request?: InferenceRequest;
    readonly model?: ModelName | undefined;
    readonly decisionId?: string | undefined;
  },
): ExchangeReport {
  const { request } = facts;
  return {
    requestId: asked.id,
    pool: pool.key,
    model: facts.model,
    path: pathAlone(asked.path),
    isStreaming: request?.isStreaming ?? false,
    how: facts.how,
    rejection: facts.rejection,
    decisionId: facts.decisionId,
    endpoint: undefined,
    prefillEndpoint: undefined,
    requestBytes: request?.bodyBytes ?? facts.requestBytes ?? 0,
    promptBytes: request?.prompt.sizeBytes ?? 0,
    outcome: {
      status: facts.status,
      usage: NO_USAGE,
      chunkCount: 0,
      ttftMs: null,
      itlMs: null,
      e2eMs: clock.nowMs() - asked.arrivedAtMs,
      wallMs: performance.now() - asked.arrivedWallMs,
      retryCount: 0,
      responseBytes: facts.responseBytes,
      pd: undefined,
    },
  };
}

/** A path without its query, which may hold anything. */
export function pathAlone(path: string): string {
  return barePath(path);
}
