import type { Clock } from "../core/clock.ts";
import type { ExchangeObserver } from "../core/exchange-report.ts";
import type { DispatchJob } from "./dispatcher.ts";

/** What times are told of: of whose request, and when it came. */
export type TimedJob = Pick<DispatchJob, "core" | "decision" | "model" | "arrivedAtMs">;

/** When the parts of one answer came, in engine milliseconds. */
export class AnswerTimes {
  readonly #job: TimedJob;
  readonly #clock: Clock;
  readonly #observer: ExchangeObserver;
  #firstByteAtMs: number | null = null;
  #firstEventAtMs = 0;
  #lastEventAtMs = 0;
  #chunkCount = 0;

  constructor(
    job: TimedJob,
    ports: { readonly clock: Clock; readonly observer: ExchangeObserver },
  ) {
    this.#job = job;
    this.#clock = ports.clock;
    this.#observer = ports.observer;
  }

  /** The body's first byte is here. */
  firstByte(): void {
    this.#firstByteAtMs = this.#clock.nowMs();
    this.#job.core.firstByte(this.#job.decision, this.#firstByteAtMs);
  }

  /** So many events of a stream arrived together: the gaps between them are zero. */
  events(count: number): void {
    if (count === 0) return;
    const { model } = this.#job;
    const nowMs = this.#clock.nowMs();
    for (let i = 0; i < count; i++) {
      if (this.#chunkCount === 0) this.#firstEventAtMs = nowMs;
      else if (model !== undefined) this.#observer.chunkGap(model, nowMs - this.#lastEventAtMs);
      this.#lastEventAtMs = nowMs;
      this.#chunkCount++;
    }
  }

  get chunkCount(): number {
    return this.#chunkCount;
  }

  get ttftMs(): number | null {
    return this.#firstByteAtMs === null ? null : this.#firstByteAtMs - this.#job.arrivedAtMs;
  }

  get itlMs(): number | null {
    if (this.#chunkCount < 2) return null;
    return (this.#lastEventAtMs - this.#firstEventAtMs) / (this.#chunkCount - 1);
  }
}
