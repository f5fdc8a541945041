import type { EndpointId } from "../core/brand.ts";
import type { Log } from "../core/log.ts";

/** Logs when something begins to fail and when it works again, not each time. */
export class FailureLog {
  readonly #log: Log;
  readonly #noun: string;
  readonly #endpoint: EndpointId;
  #failureCount = 0;

  /** Events are `<noun>-failed` and `<noun>-recovered`. */
  constructor(log: Log, noun: string, endpoint: EndpointId) {
    this.#log = log;
    this.#noun = noun;
    this.#endpoint = endpoint;
  }

  /** Failures in a row. */
  get failureCount(): number {
    return this.#failureCount;
  }

  failed(error: unknown): void {
    this.#failureCount++;
    if (this.#failureCount > 1) return;
    const reason = reasonOf(error);
    this.#log.warn(`${this.#noun}-failed`, { endpoint: this.#endpoint, reason });
  }

  succeeded(): void {
    if (this.#failureCount === 0) return;
    const failures = this.#failureCount;
    this.#failureCount = 0;
    this.#log.info(`${this.#noun}-recovered`, { endpoint: this.#endpoint, failures });
  }
}

/** The code of a system or undici error says more than its text. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "code" in error && typeof error.code === "string" ? error.code : error.message;
}
