import { Subscriber } from "zeromq";
import type { Clock } from "../core/clock.ts";
import type { KvEvent } from "../core/kv-event.ts";
import type { Log } from "../core/log.ts";
import type { Meter } from "../core/meter.ts";
import type { EndpointTable } from "../endpoints/endpoint-table.ts";
import { FailureLog } from "./failure-log.ts";
import { type FollowedEndpoint, followEndpoints } from "./follow-endpoints.ts";
import { FRAME_BYTES_MAX } from "./kv-event-frame.ts";
import { KvEventStream, type KvStreamOccurrence } from "./kv-event-stream.ts";
import { type KvMessage, readKvMessage } from "./kv-message.ts";
import { replayMessages } from "./kv-replay.ts";

/** Where events go: `RouterCore` is one. */
export interface KvEventsPort {
  kvEvents(slot: number, events: readonly KvEvent[], nowMs: number): void;
}

/** Where engines publish their KV events. */
export interface KvEventAccess {
  /** Port of rank 0; rank r has the r-th after it. */
  readonly port: number;
  /** Port of rank 0 at which missed messages are asked for; 0 for none. */
  readonly replayPort: number;
  /** Messages whose topic begins otherwise are not read. */
  readonly topicFilter: string;
}

/** What a subscriber is made of. */
export interface KvEventSubscriberOptions {
  /** Name of the pool, for its metrics. */
  readonly pool: string;
  readonly core: KvEventsPort;
  readonly table: EndpointTable;
  readonly access: KvEventAccess;
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
}

/** How an endpoint's KV events flow. */
export interface KvStreamStatus {
  readonly isConnected: boolean;
  readonly lastSequence: number | undefined;
  /** Engine time at which the last message was applied. */
  readonly lastAtMs: number | undefined;
  /** Messages that were applied. */
  readonly messageCount: number;
  readonly gapCount: number;
  readonly resyncCount: number;
  readonly faultCount: number;
}

/** A running subscriber. */
export interface KvEventSubscriber {
  /** Undefined for an endpoint that is not subscribed to. */
  status(slot: number): KvStreamStatus | undefined;
  /** Endpoints that are subscribed to. */
  readonly activeCount: number;
  close(): Promise<void>;
}

/** Wall milliseconds between two looks at whether an endpoint is ready. */
const READY_POLL_MS = 250;

/** Messages that wait to be read from one endpoint; what comes on top is lost and makes a gap. */
const MESSAGES_WAITING_MAX = 1000;

/** llm-d tries again after 5 s; an engine that restarts is back sooner. */
const RECONNECT_MS_MIN = 100;
const RECONNECT_MS_MAX = 5000;

/** Wall milliseconds after which a peer that answers no heartbeat counts as gone. */
const HEARTBEAT_MS = 5000;
const SILENCE_MS_MAX = 15_000;

/** Wall milliseconds between two log lines on an endpoint that starts over; the metrics count them all. */
const RESYNC_LOG_MS = 60_000;

/** llm-d and KServe name the endpoint of a pod's r-th port so. */
const RANK = /-rank-(\d{1,3})$/;

const PORT_MAX = 65_535;

/** Reads the KV events of every endpoint in the table from its arrival to its removal. */
export function startKvEventSubscriber(options: KvEventSubscriberOptions): KvEventSubscriber {
  const streams = new Map<number, EndpointStream>();
  const following = followEndpoints({
    table: options.table,
    async follow(endpoint) {
      const stream = new EndpointStream(endpoint, options);
      streams.set(endpoint.slot, stream);
      await stream.run();
      if (streams.get(endpoint.slot) === stream) streams.delete(endpoint.slot);
    },
  });
  return {
    status: (slot) => streams.get(slot)?.status(),
    get activeCount() {
      return streams.size;
    },
    close: () => following.close(),
  };
}

/** One endpoint's subscription. */
class EndpointStream {
  readonly #endpoint: FollowedEndpoint;
  readonly #options: KvEventSubscriberOptions;
  readonly #stream: KvEventStream;
  readonly #failures: FailureLog;
  readonly #replays: FailureLog;
  #isConnected = false;
  #wasConnected = false;
  #lastAtMs: number | undefined;
  #messageCount = 0;
  #gapCount = 0;
  #resyncCount = 0;
  #faultCount = 0;
  #resyncLoggedAtMs = Number.NEGATIVE_INFINITY;

  constructor(endpoint: FollowedEndpoint, options: KvEventSubscriberOptions) {
    const { core, clock, access, log } = options;
    this.#endpoint = endpoint;
    this.#options = options;
    this.#failures = new FailureLog(log, "kv-events", endpoint.id);
    this.#replays = new FailureLog(log, "kv-replay", endpoint.id);
    this.#stream = new KvEventStream({
      apply: (events) => {
        if (endpoint.isCurrent()) core.kvEvents(endpoint.slot, events, clock.nowMs());
      },
      replay: access.replayPort === 0 ? undefined : (from) => this.#replay(from),
      note: (occurrence) => this.#note(occurrence),
      stopwatch: { nowMs: () => performance.now() },
    });
  }

  status(): KvStreamStatus {
    return {
      isConnected: this.#isConnected,
      lastSequence: this.#stream.lastSequence,
      lastAtMs: this.#lastAtMs,
      messageCount: this.#messageCount,
      gapCount: this.#gapCount,
      resyncCount: this.#resyncCount,
      faultCount: this.#faultCount,
    };
  }

  /** Ends when the endpoint is followed no longer; never rejects. */
  async run(): Promise<void> {
    const { signal } = this.#endpoint;
    const socket = new Subscriber({
      ipv6: true,
      linger: 0,
      receiveHighWaterMark: MESSAGES_WAITING_MAX,
      maxMessageSize: FRAME_BYTES_MAX,
      reconnectInterval: RECONNECT_MS_MIN,
      reconnectMaxInterval: RECONNECT_MS_MAX,
      heartbeatInterval: HEARTBEAT_MS,
      heartbeatTimeout: SILENCE_MS_MAX,
      connectTimeout: RECONNECT_MS_MAX,
    });
    signal.addEventListener("abort", () => socket.close(), { once: true });
    try {
      this.#watch(socket);
      socket.subscribe(this.#options.access.topicFilter);
      socket.connect(this.#address(this.#options.access.port));
      await Promise.all([this.#read(socket), this.#followReadiness()]);
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#isConnected = false;
      if (!socket.closed) socket.close();
    }
  }

  #watch(socket: Subscriber): void {
    socket.events.on("handshake", () => {
      if (this.#wasConnected) this.#count("kv-reconnections");
      this.#isConnected = true;
      this.#wasConnected = true;
      this.#failures.succeeded();
      this.#stream.connected().catch((error: unknown) => this.#failed(error));
    });
    socket.events.on("disconnect", () => {
      if (this.#isConnected) this.#failed(new Error("connection lost"));
      this.#isConnected = false;
    });
    for (const event of ["handshake:error:protocol", "handshake:error:other"] as const) {
      socket.events.on(event, ({ error }) => this.#failed(error));
    }
  }

  async #read(socket: Subscriber): Promise<void> {
    for await (const frames of socket) {
      if (!this.#endpoint.isCurrent()) return;
      const message = readKvMessage(frames);
      if (message === undefined || message === "end") {
        this.#note({ kind: "faults", faultCount: 1, reason: "not a message of KV events" });
        continue;
      }
      await this.#stream.message(message);
    }
  }

  /** The core forgets the blocks of an endpoint that it takes out, which may well be alive. */
  async #followReadiness(): Promise<void> {
    const { slot } = this.#endpoint;
    let wasReady = false;
    let isOut = false;
    while (this.#endpoint.isCurrent()) {
      const isReady = this.#options.table.isReady(slot);
      if (isReady && isOut) {
        this.#stream.forgotten().catch((error: unknown) => this.#failed(error));
      }
      isOut = wasReady && !isReady;
      wasReady ||= isReady;
      await this.#endpoint.pause(READY_POLL_MS);
    }
  }

  async *#replay(from: number): AsyncGenerator<KvMessage | "failed"> {
    const { access } = this.#options;
    try {
      yield* replayMessages(this.#address(access.replayPort), from, this.#endpoint.signal);
      this.#replays.succeeded();
    } catch (error) {
      if (this.#endpoint.isCurrent()) {
        this.#replays.failed(error);
        this.#count("kv-errors");
      }
      yield "failed";
    }
  }

  #address(port: number): string {
    const { id, address } = this.#endpoint;
    const rankPort = port + Number(RANK.exec(id)?.[1] ?? 0);
    if (rankPort > PORT_MAX) throw new Error(`there is no port ${rankPort}`);
    return `tcp://${address.replace(/:\d+$/, `:${rankPort}`)}`;
  }

  #note(occurrence: KvStreamOccurrence): void {
    const { log } = this.#options;
    const endpoint = this.#endpoint.id;
    switch (occurrence.kind) {
      case "message":
        this.#messageCount++;
        this.#lastAtMs = this.#options.clock.nowMs();
        this.#count("kv-messages");
        break;
      case "gap":
        this.#gapCount++;
        this.#count("kv-gaps", { result: occurrence.isClosed ? "replayed" : "lost" });
        break;
      case "resync":
        this.#resyncCount++;
        this.#count("kv-resyncs", { reason: occurrence.reason });
        this.#logResync(occurrence.reason);
        break;
      case "faults":
        // The first one is logged; how many follow is in the metrics.
        if (this.#faultCount === 0) {
          log.warn("kv-events-malformed", { endpoint, reason: occurrence.reason });
        }
        this.#faultCount += occurrence.faultCount;
        this.#count("kv-faults", {}, occurrence.faultCount);
        break;
    }
  }

  #logResync(reason: string): void {
    const nowMs = performance.now();
    if (nowMs - this.#resyncLoggedAtMs < RESYNC_LOG_MS) return;
    this.#resyncLoggedAtMs = nowMs;
    this.#options.log.info("kv-resync", { endpoint: this.#endpoint.id, reason });
  }

  #failed(error: unknown): void {
    if (!this.#endpoint.isCurrent()) return;
    this.#failures.failed(error);
    this.#count("kv-errors");
  }

  #count(name: Parameters<Meter["count"]>[0], labels = {}, by = 1): void {
    this.#options.meter.count(name, { name: this.#options.pool, ...labels }, by);
  }
}
