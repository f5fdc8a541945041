import type { KvEvent } from "../core/kv-event.ts";
import type { RealTimeDriver } from "./real-time-driver.ts";

/** Events of an engine in order; one message of vLLM's KV-event publisher. */
export interface KvEventBatch {
  /** Counts an engine's batches from 0. A 0 after other numbers is a restarted engine with an empty cache. */
  readonly sequence: number;
  /** Engine time of the last event. */
  readonly atMs: number;
  readonly events: readonly KvEvent[];
}

/** Engine time for which events are gathered. */
const FLUSH_US = 1000;

/** Gathers an engine's KV events for a millisecond of its time and passes them on. */
export class KvEventPublisher {
  readonly #publish: (batch: KvEventBatch) => void;
  #events: KvEvent[] = [];
  #lastUs = 0;
  #sequence = 0;

  /** `publish` must not call the engine's driver. */
  constructor(publish: (batch: KvEventBatch) => void) {
    this.#publish = publish;
  }

  add(events: readonly KvEvent[], atUs: number, driver: RealTimeDriver): void {
    if (this.#events.length === 0) driver.at(atUs + FLUSH_US, () => this.#flush());
    this.#events.push(...events);
    this.#lastUs = atUs;
  }

  #flush(): void {
    const batch = { sequence: this.#sequence, atMs: this.#lastUs / 1000, events: this.#events };
    this.#sequence += 1;
    this.#events = [];
    this.#publish(batch);
  }
}
