import type { Arrival, Stage, WorkloadRequest } from "./workload/workload.ts";

/** A request that is to be sent at a time. */
export interface Sending {
  readonly atUs: number;
  readonly request: WorkloadRequest;
}

/** The clients of one stage: draws arrivals one at a time and keeps within the stage's concurrency. */
export class ClientLoad {
  readonly #arrivals: Iterator<Arrival> | AsyncIterator<Arrival>;
  readonly #concurrencyMax: number;
  readonly #startUs: number;
  readonly #lastUs: number;
  /** When there was last room for one more. */
  #roomUs: number;
  /** Requests, or sessions, that began and are not over. */
  #underWay = 0;
  #isExhausted = false;
  #isWaitingToSend = false;

  constructor(stage: Stage, startUs: number) {
    const { arrivals } = stage;
    this.#arrivals =
      Symbol.iterator in arrivals ? arrivals[Symbol.iterator]() : arrivals[Symbol.asyncIterator]();
    this.#concurrencyMax = stage.concurrencyMax ?? Number.POSITIVE_INFINITY;
    this.#startUs = startUs;
    this.#roomUs = startUs;
    this.#lastUs = startUs + (stage.secondsMax ?? Number.POSITIVE_INFINITY) * 1e6;
  }

  /** Whether the next arrival can be drawn: none is waiting for its time and there is room for it. */
  get isReady(): boolean {
    const hasRoom = this.#underWay < this.#concurrencyMax;
    return hasRoom && !this.#isExhausted && !this.#isWaitingToSend;
  }

  get isOver(): boolean {
    return this.#isExhausted && this.#underWay === 0;
  }

  /** Draws the next arrival; undefined after the last one. */
  next(): Sending | undefined | Promise<Sending | undefined> {
    const drawn = this.#arrivals.next();
    return drawn instanceof Promise
      ? drawn.then((result) => this.#sending(result))
      : this.#sending(drawn);
  }

  /** The arrival that was drawn has been sent. */
  sent(): void {
    this.#isWaitingToSend = false;
  }

  /** A request is over; the session's next one, if it goes on. */
  ended(request: WorkloadRequest, nowUs: number): Sending | undefined {
    const next = request.followUp?.();
    if (next !== undefined) return { atUs: nowUs + next.thinkUs, request: next.request };
    if (this.#underWay === this.#concurrencyMax) this.#roomUs = nowUs;
    this.#underWay--;
    return undefined;
  }

  #sending(drawn: IteratorResult<Arrival, unknown>): Sending | undefined {
    const atUs = drawn.done === true ? Number.POSITIVE_INFINITY : this.#sendUs(drawn.value);
    if (drawn.done === true || atUs >= this.#lastUs) {
      this.#isExhausted = true;
      return undefined;
    }
    this.#underWay++;
    this.#isWaitingToSend = true;
    return { atUs, request: drawn.value.request };
  }

  #sendUs({ atUs }: Arrival): number {
    return Math.max(this.#roomUs, this.#startUs + Math.round(atUs));
  }
}
