import type { RequestId } from "../core/brand.ts";
import type { Clock } from "../core/clock.ts";
import type { KvEvent } from "../core/kv-event.ts";
import type {
  EngineCore,
  EngineFinish,
  EngineGauges,
  EngineRequest,
  EngineSink,
  KvHandle,
} from "../engine/engine-core.ts";

/** Where the output of one sequence goes. */
export interface SequenceListener {
  /** Whether somebody watches the tokens come; else they may be told in one go. */
  readonly isStreaming: boolean;
  /** Called while the engine advances, so it must not call the driver. */
  tokens(count: number, timeUs: (k: number) => number): void;
  /** Called once, after the engine advanced; it may call the driver. */
  finished(finish: EngineFinish): void;
}

/** What an engine asks for and tells besides its sequences. */
export interface DriverEvents {
  /** Called after the engine advanced; it may call the driver. */
  kvWanted(id: RequestId, handle: KvHandle, tokenCount: number, atUs: number): void;
  /** Called while the engine advances, so it must not call the driver. */
  kvEvents(events: readonly KvEvent[], atUs: number): void;
}

/** A timer below this would spin; a later one catches up in one advance. */
const MIN_WAIT_MS = 1;
/** Node fires a longer timer at once. */
const MAX_WAIT_MS = 0x7fffffff;

interface Action {
  readonly atUs: number;
  run(atUs: number): void;
}

/** Drives an engine by the clock: one timer, and the engine is advanced before anybody touches it. */
export class RealTimeDriver {
  readonly #engine: EngineCore;
  readonly #clock: Clock;
  readonly #timeScale: number;
  readonly #listeners = new Map<RequestId, SequenceListener>();
  /** In time order; bounded by the transfers under way and one event flush. */
  readonly #actions: Action[] = [];
  /** What may call the driver waits until the engine has returned. */
  readonly #told: (() => void)[] = [];
  readonly #sink: EngineSink;
  #nowUs = 0;
  #streamingCount = 0;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(
    engine: EngineCore,
    options: { clock: Clock; timeScale: number; events: DriverEvents },
  ) {
    this.#engine = engine;
    this.#clock = options.clock;
    this.#timeScale = options.timeScale;
    const { events } = options;
    this.#sink = {
      tokens: (id, count, timeUs) => this.#listeners.get(id)?.tokens(count, timeUs),
      finished: (finish) => this.#told.push(() => this.#finished(finish)),
      kvEvents: (batch, atUs) => events.kvEvents(batch, atUs),
      kvWanted: (id, handle, tokenCount, atUs) =>
        this.#told.push(() => events.kvWanted(id, handle, tokenCount, atUs)),
    };
  }

  /** Hands a sequence to the engine and returns the engine time of its arrival. */
  submit(request: EngineRequest, listener: SequenceListener): number {
    return this.#touch((nowUs) => {
      this.#listeners.set(request.id, listener);
      if (listener.isStreaming) this.#streamingCount += 1;
      this.#engine.submit(request, nowUs);
      return nowUs;
    });
  }

  /** Takes a sequence out; its listener still hears of the end. One that ended is left alone. */
  abort(id: RequestId): void {
    this.#touch((nowUs) => {
      if (this.#listeners.has(id)) this.#engine.abort(id, nowUs);
    });
  }

  kvReleased(handle: KvHandle): boolean {
    return this.#touch((nowUs) => this.#engine.kvReleased(handle, nowUs));
  }

  kvHeld(handle: KvHandle): ReturnType<EngineCore["kvHeld"]> {
    return this.#touch((nowUs) => this.#engine.kvHeld(handle, nowUs));
  }

  kvFailed(handle: KvHandle): void {
    this.#touch((nowUs) => this.#engine.kvFailed(handle, nowUs));
  }

  /** Tells the engine at `atUs`, or at once when that has passed, that the blocks are there. */
  kvArrivesAt(handle: KvHandle, atUs: number, done: () => void): void {
    this.#touch((nowUs) => {
      this.#at(Math.max(atUs, nowUs), (at) => {
        this.#engine.kvArrived(handle, at);
        this.#told.push(done);
      });
    });
  }

  /** Runs at the engine time `atUs`. Called while the engine advances; `run` must not call the driver. */
  at(atUs: number, run: () => void): void {
    this.#at(atUs, run);
  }

  /** Counters as of this moment. */
  gauges(): EngineGauges {
    return this.#touch(() => this.#engine.gauges);
  }

  /** Sequences submitted and not ended. */
  get sequenceCount(): number {
    return this.#listeners.size;
  }

  /** No timer is left and nobody is called any more. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    this.#listeners.clear();
    this.#actions.length = 0;
    this.#told.length = 0;
  }

  #touch<Result>(use: (nowUs: number) => Result): Result {
    this.#catchUp();
    const result = use(this.#nowUs);
    this.#schedule();
    return result;
  }

  #catchUp(): void {
    if (this.#isStopped) return;
    const nowUs = Math.max(this.#nowUs, Math.floor(this.#clock.nowMs() * 1000));
    for (;;) {
      const action = this.#actions[0];
      if (action === undefined || action.atUs > nowUs) break;
      this.#actions.shift();
      // Actions of one instant are in the order they were asked for; none is before the engine's time.
      this.#nowUs = Math.max(this.#nowUs, action.atUs);
      this.#engine.advance(this.#nowUs, this.#sink);
      action.run(this.#nowUs);
    }
    this.#nowUs = nowUs;
    this.#engine.advance(nowUs, this.#sink);
    for (let tell = this.#told.shift(); tell !== undefined; tell = this.#told.shift()) tell();
  }

  #at(atUs: number, run: (atUs: number) => void): void {
    const after = this.#actions.findIndex((action) => action.atUs > atUs);
    this.#actions.splice(after === -1 ? this.#actions.length : after, 0, { atUs, run });
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#isStopped) return;
    const wakeUs = Math.min(
      this.#engine.nextEventUs(),
      this.#actions[0]?.atUs ?? Number.POSITIVE_INFINITY,
      // Steps in between change nothing, but a stream has a token at each.
      this.#streamingCount > 0 ? this.#engine.nextStepUs() : Number.POSITIVE_INFINITY,
    );
    if (wakeUs === Number.POSITIVE_INFINITY) return;
    const waitMs = Math.ceil((wakeUs / 1000 - this.#clock.nowMs()) / this.#timeScale);
    this.#timer = setTimeout(
      () => this.#touch(() => undefined),
      Math.min(Math.max(waitMs, MIN_WAIT_MS), MAX_WAIT_MS),
    );
  }

  #finished(finish: EngineFinish): void {
    const listener = this.#listeners.get(finish.id);
    if (listener === undefined) return;
    this.#listeners.delete(finish.id);
    if (listener.isStreaming) this.#streamingCount -= 1;
    listener.finished(finish);
  }
}
