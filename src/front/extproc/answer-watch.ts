import type { IncomingHttpHeaders } from "node:http";
import type { EndpointId } from "../../core/brand.ts";
import type { Clock } from "../../core/clock.ts";
import {
  type ExchangeObserver,
  NO_USAGE,
  type Outcome,
  type PdOutcome,
} from "../../core/exchange-report.ts";
import type { DispatchPlan } from "../../director/dispatch-plan.ts";
import { AnswerTimes, type TimedJob } from "../../dispatch/answer-times.ts";
import { headerText } from "../../dispatch/headers.ts";
import { PD_HEADER, parsePdHeader } from "../../dispatch/pd-header.ts";
import { type UsageReader, usageReader } from "../../dispatch/usage-reader.ts";

/** Reads what an engine's answer tells while it passes by. */
export class AnswerWatch {
  readonly #times: AnswerTimes;
  readonly #plan: DispatchPlan;
  #reader: UsageReader | undefined;
  #pdHeader: string | undefined;
  #pd: PdOutcome | undefined;
  #status = 0;
  #sizeBytes = 0;

  constructor(
    job: TimedJob,
    plan: DispatchPlan,
    ports: { readonly clock: Clock; readonly observer: ExchangeObserver },
  ) {
    this.#times = new AnswerTimes(job, ports);
    this.#plan = plan;
  }

  /** 0 until the head came. */
  get status(): number {
    return this.#status;
  }

  head(headers: IncomingHttpHeaders): void {
    this.#status = Number(headerText(headers, ":status") ?? 0);
    this.#reader = usageReader(headers);
    this.#pdHeader = headerText(headers, PD_HEADER);
    this.#readPd(undefined);
  }

  body(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (this.#sizeBytes === 0) this.#times.firstByte();
    this.#sizeBytes += bytes.length;
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#times.events(this.#reader?.push(chunk) ?? 0);
  }

  trailers(headers: IncomingHttpHeaders): void {
    this.#readPd(headerText(headers, PD_HEADER));
  }

  /** Ask once the answer has ended. */
  outcome(): Omit<Outcome, "status" | "e2eMs" | "wallMs"> {
    return {
      usage: this.#reader?.usage() ?? NO_USAGE,
      chunkCount: this.#times.chunkCount,
      ttftMs: this.#times.ttftMs,
      itlMs: this.#times.itlMs,
      retryCount: 0,
      responseBytes: this.#sizeBytes,
      pd: this.#pd,
    };
  }

  /** The endpoint that ran prefill as the sidecar tells, the plan's choice where none tells. */
  prefillEndpoint(): EndpointId | undefined {
    const { prefill } = this.#plan;
    const pd = this.#pd;
    return pd === undefined ? prefill[0]?.id : prefill.find((t) => t.id === pd.prefillEndpoint)?.id;
  }

  /** A sidecar names the address it used; only an endpoint of the plan is believed. */
  #readPd(trailer: string | undefined): void {
    const pd = parsePdHeader(this.#pdHeader, trailer);
    if (pd === undefined) return;
    const named = pd.prefillEndpoint;
    const endpoint = this.#plan.prefill.find((t) => t.address === named || t.id === named);
    this.#pd = { ...pd, prefillEndpoint: endpoint?.id ?? null };
  }
}
