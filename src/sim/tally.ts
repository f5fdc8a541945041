import type { RejectionReason } from "../core/rejection.ts";
import { Quantiles } from "./quantiles.ts";
import type { FailureReason, Slo, Summary } from "./report.ts";

/** One answered request, folded as soon as it ends. */
export interface AnsweredRequest {
  readonly ttftMs: number;
  /** Undefined with a single token. */
  readonly tpotMs: number | undefined;
  readonly e2eMs: number;
  readonly promptTokens: number;
  readonly outputTokens: number;
  readonly cachedTokens: number;
  readonly preemptionCount: number;
}

/** Folds requests into figures; its memory does not grow with them. */
export class Tally {
  readonly #slo: Slo | undefined;
  readonly #startUs: number;
  #endUs: number;
  readonly #ttft = new Quantiles();
  readonly #tpot = new Quantiles();
  readonly #e2e = new Quantiles();
  readonly #transfer = new Quantiles();
  readonly #rejected: Partial<Record<RejectionReason, number>> = {};
  readonly #failed: Partial<Record<FailureReason, number>> = {};
  #arrived = 0;
  #completed = 0;
  #ended = 0;
  #good = 0;
  #promptTokens = 0;
  #outputTokens = 0;
  #cachedTokens = 0;
  #preemptions = 0;
  #failedTransfers = 0;
  #transferBytes = 0;

  constructor(slo: Slo | undefined, startUs: number) {
    this.#slo = slo;
    this.#startUs = startUs;
    this.#endUs = startUs;
  }

  arrived(): void {
    this.#arrived++;
  }

  answered(request: AnsweredRequest, atUs: number): void {
    this.#end(atUs);
    this.#completed++;
    this.#ttft.add(request.ttftMs);
    if (request.tpotMs !== undefined) this.#tpot.add(request.tpotMs);
    this.#e2e.add(request.e2eMs);
    this.#promptTokens += request.promptTokens;
    this.#outputTokens += request.outputTokens;
    this.#cachedTokens += request.cachedTokens;
    this.#preemptions += request.preemptionCount;
    const slo = this.#slo;
    if (slo !== undefined && request.ttftMs <= slo.ttftMs && (request.tpotMs ?? 0) <= slo.tpotMs) {
      this.#good++;
    }
  }

  rejected(reason: RejectionReason, atUs: number): void {
    this.#end(atUs);
    this.#rejected[reason] = (this.#rejected[reason] ?? 0) + 1;
  }

  failed(reason: FailureReason, atUs: number): void {
    this.#end(atUs);
    this.#failed[reason] = (this.#failed[reason] ?? 0) + 1;
  }

  transferred(bytes: number, ms: number): void {
    this.#transferBytes += bytes;
    this.#transfer.add(ms);
  }

  transferFailed(): void {
    this.#failedTransfers++;
  }

  summary(): Summary {
    const seconds = (this.#endUs - this.#startUs) / 1e6;
    const perSecond = (count: number): number => (seconds > 0 ? count / seconds : 0);
    const slo = this.#slo;
    return {
      simulatedSeconds: seconds,
      requests: {
        arrived: this.#arrived,
        completed: this.#completed,
        rejected: { ...this.#rejected },
        failed: { ...this.#failed },
      },
      ttftMs: this.#ttft.summary() ?? null,
      tpotMs: this.#tpot.summary() ?? null,
      e2eMs: this.#e2e.summary() ?? null,
      promptTokens: this.#promptTokens,
      outputTokens: this.#outputTokens,
      outputTokensPerSecond: perSecond(this.#outputTokens),
      requestsPerSecond: perSecond(this.#completed),
      goodput:
        slo === undefined
          ? null
          : {
              slo,
              count: this.#good,
              ratio: ratio(this.#good, this.#ended),
              requestsPerSecond: perSecond(this.#good),
            },
      cacheHitRatio: ratio(this.#cachedTokens, this.#promptTokens),
      kvTransfer: {
        count: this.#transfer.count,
        failedCount: this.#failedTransfers,
        bytes: this.#transferBytes,
        ms: this.#transfer.summary() ?? null,
      },
      preemptions: this.#preemptions,
    };
  }

  #end(atUs: number): void {
    this.#ended++;
    this.#endUs = atUs;
  }
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}
