import { setImmediate as nextTurn } from "node:timers/promises";
import type { KvEvent } from "../core/kv-event.ts";
import { KvFrameDecoder } from "./kv-event-frame.ts";
import type { KvMessage } from "./kv-message.ts";

/** What happens on a stream, one by one. */
export type KvStreamOccurrence =
  /** A message was applied, be it a live one or one that was asked for. */
  | { readonly kind: "message" }
  /** Messages were missed; `isClosed` if the engine sent them again. */
  | { readonly kind: "gap"; readonly missedCount: number; readonly isClosed: boolean }
  /** What the router knew of the engine's blocks was given up. */
  | { readonly kind: "resync"; readonly reason: ResyncReason }
  | { readonly kind: "faults"; readonly faultCount: number; readonly reason: string };

/** Why knowledge of an engine's blocks is given up. */
export type ResyncReason = "gap" | "restart" | "malformed";

/** What a stream works with. */
export interface KvEventStreamOptions {
  apply(events: readonly KvEvent[]): void;
  /**
   * The engine's messages from a sequence number on, as far as it has kept them; "failed" comes last
   * when it does not answer to the end. Undefined where the engine's replay port is not known.
   */
  readonly replay: ((from: number) => AsyncIterable<KvMessage | "failed">) | undefined;
  note(occurrence: KvStreamOccurrence): void;
  readonly stopwatch: { nowMs(): number };
}

/** An engine that did not have what was missed is not asked again so soon. */
const REPLAY_PAUSE_MS = 1000;

/** Wall milliseconds of events after which others have their turn. */
const SLICE_MS = 5;

/**
 * One engine's messages in their order: fills gaps by replay, and where that cannot be starts over with
 * what comes next. Calls are carried out one after another.
 */
export class KvEventStream {
  readonly #options: KvEventStreamOptions;
  #decoder = new KvFrameDecoder();
  /** Sequence number that comes next; undefined before the first message. */
  #next: number | undefined;
  /** A replay overtook live messages below this number: they come once more. */
  #repeatedBelow = 0;
  /** Whether nothing was applied since all was given up. */
  #isBlank = false;
  #unclosedAtMs = Number.NEGATIVE_INFINITY;
  #sliceFromMs = 0;
  #turn: Promise<void> = Promise.resolve();
  #waitingCatchUp: Promise<void> | undefined;

  constructor(options: KvEventStreamOptions) {
    this.#options = options;
  }

  /** Number of the last message that was applied. */
  get lastSequence(): number | undefined {
    return this.#next === undefined ? undefined : this.#next - 1;
  }

  /** A message came. */
  message(message: KvMessage): Promise<void> {
    return this.#enqueue(() => this.#live(message));
  }

  /** The connection stands, for the first time or again: the engine may be another one. */
  connected(): Promise<void> {
    // One that waits will find out what a second one could.
    this.#waitingCatchUp ??= this.#enqueue(async () => {
      this.#waitingCatchUp = undefined;
      await this.#catchUp();
    });
    return this.#waitingCatchUp;
  }

  /** The router has forgotten the engine's blocks for reasons of its own. */
  forgotten(): Promise<void> {
    return this.#enqueue(async () => {
      if (this.#options.replay === undefined) return;
      this.#next = undefined;
      await this.#catchUp();
    });
  }

  #enqueue(task: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(task);
    // The caller hears of a failure; what comes next is carried out all the same.
    this.#turn = done.catch(() => undefined);
    return done;
  }

  async #live(message: KvMessage): Promise<void> {
    const { sequence } = message;
    if (this.#next !== undefined && sequence < this.#next) {
      if (sequence < this.#repeatedBelow) return;
      this.#resync("restart");
    }
    if (this.#next === undefined && sequence > 0) await this.#catchUp();
    const next = this.#next ?? sequence;
    if (sequence > next) await this.#closeGap(next, sequence);
    if (sequence < (this.#next ?? 0)) return;
    this.#repeatedBelow = 0;
    await this.#apply(message);
  }

  async #closeGap(next: number, sequence: number): Promise<void> {
    const { nowMs } = this.#options.stopwatch;
    if (nowMs() - this.#unclosedAtMs >= REPLAY_PAUSE_MS) await this.#replay(next);
    const isClosed = (this.#next as number) >= sequence;
    this.#options.note({ kind: "gap", missedCount: sequence - next, isClosed });
    if (isClosed) return;
    this.#unclosedAtMs = nowMs();
    this.#resync("gap");
    this.#next = sequence;
  }

  /** Asks for what was missed while nothing listened; the last known message shows that the engine is the same. */
  async #catchUp(): Promise<void> {
    if (this.#options.replay === undefined) return;
    const last = this.lastSequence;
    if (last === undefined) {
      await this.#replay(0);
      return;
    }
    const answer = await this.#replay(last);
    if (answer === "other") {
      this.#resync("restart");
      await this.#replay(0);
    }
  }

  /**
   * Applies what the engine sends again. "other": the answer does not begin with `from`, so nothing
   * of it was applied, unless nothing was known before.
   */
  async #replay(from: number): Promise<"same" | "other" | "failed"> {
    const { replay } = this.#options;
    if (replay === undefined) return "failed";
    const before = this.#next;
    let isFirst = true;
    this.#repeatedBelow = 0;
    for await (const message of replay(from)) {
      // What was applied so far is in order.
      if (message === "failed") return "failed";
      if (isFirst && before !== undefined && message.sequence !== from) return "other";
      isFirst = false;
      if (message.sequence > (this.#next ?? message.sequence)) break;
      if (message.sequence < (this.#next ?? 0)) continue;
      await this.#apply(message);
      this.#repeatedBelow = message.sequence + 1;
    }
    if (isFirst && before !== undefined) return "other";
    // An engine that has published nothing holds nothing.
    if (isFirst) this.#clear();
    return "same";
  }

  async #apply({ sequence, payload }: KvMessage): Promise<void> {
    const { note, stopwatch } = this.#options;
    // What the index holds from an earlier stream would be counted twice.
    if (this.#next === undefined) this.#clear();
    this.#next = sequence + 1;
    note({ kind: "message" });
    const frame = this.#decoder.decode(payload);
    if (frame.kind === "malformed") {
      note({ kind: "faults", faultCount: 1, reason: frame.reason });
      this.#forget("malformed");
    } else {
      if (frame.faultyCount > 0) {
        const reason = "events of a wrong shape";
        note({ kind: "faults", faultCount: frame.faultyCount, reason });
      }
      if (frame.events.length > 0) {
        this.#options.apply(frame.events);
        this.#isBlank = false;
      }
    }
    if (stopwatch.nowMs() - this.#sliceFromMs < SLICE_MS) return;
    await nextTurn();
    this.#sliceFromMs = stopwatch.nowMs();
  }

  /** What follows is of an engine of which nothing is known. */
  #resync(reason: ResyncReason): void {
    this.#forget(reason);
    this.#decoder = new KvFrameDecoder();
    this.#next = undefined;
    this.#repeatedBelow = 0;
  }

  #forget(reason: ResyncReason): void {
    this.#options.note({ kind: "resync", reason });
    this.#clear();
  }

  #clear(): void {
    if (this.#isBlank) return;
    this.#options.apply([{ kind: "cleared" }]);
    this.#isBlank = true;
  }
}
