import { setTimeout as delay } from "node:timers/promises";
import { Publisher, Router, type Socket } from "zeromq";
import type { Log } from "../core/log.ts";
import { encodeKvEvents, type KvEventShape } from "./kv-event-encoding.ts";
import type { KvEventBatch } from "./kv-event-publisher.ts";

/** Where and how an engine publishes its KV events (vLLM `KVEventsConfig`). */
export interface KvEventSocketOptions extends KvEventShape {
  /** Bound if it has a wildcard or is local, else connected to, as vLLM does. */
  readonly endpoint: string;
  /** Undefined: nothing is sent again. */
  readonly replayEndpoint: string | undefined;
  /** Messages kept to be sent again. */
  readonly bufferSteps: number;
  /** Messages that wait for a subscriber before they are dropped. */
  readonly hwm: number;
  readonly topic: string;
}

/** An engine's open KV-event sockets. */
export interface KvEventSocket {
  publish(batch: KvEventBatch): void;
  close(): Promise<void>;
}

/** vLLM ends a replay with the sequence number -1 and an empty payload. */
const END = Buffer.alloc(8, 0xff);
const EMPTY = Buffer.alloc(0);

interface Sent {
  readonly number: number;
  readonly sequence: Buffer;
  readonly payload: Uint8Array;
}

/** Opens the sockets; rejects, with nothing left open, when an address cannot be had. */
export async function openKvEventSocket(
  options: KvEventSocketOptions,
  log: Log,
): Promise<KvEventSocket> {
  const { endpoint, replayEndpoint, bufferSteps, hwm, topic } = options;
  const kept: Sent[] = [];
  const publisher = new Publisher({ ipv6: true, linger: 0, sendHighWaterMark: hwm });
  const router = replayEndpoint === undefined ? undefined : new Router({ ipv6: true, linger: 0 });
  const close = (): void => {
    publisher.close();
    router?.close();
  };
  try {
    await open(publisher, endpoint);
    if (router !== undefined && replayEndpoint !== undefined) await open(router, replayEndpoint);
  } catch (error) {
    close();
    throw error;
  }
  const answering = router === undefined ? undefined : answerReplays(router, kept, log);
  // A socket takes one send at a time; a publisher never waits for its subscribers.
  let sending: Promise<void> = Promise.resolve();
  return {
    publish({ sequence: number, events }) {
      const sequence = Buffer.alloc(8);
      sequence.writeBigUInt64BE(BigInt(number));
      const payload = encodeKvEvents(events, Date.now() / 1000, options);
      if (replayEndpoint !== undefined) {
        kept.push({ number, sequence, payload });
        if (kept.length > bufferSteps) kept.shift();
      }
      sending = sending
        .then(() => publisher.send([topic, sequence, payload]))
        .catch((error: unknown) => log.warn("kv-publish-failed", { error: String(error) }));
    },
    async close() {
      await sending;
      // Unbinding frees the port sooner than closing does.
      if (isBound(endpoint)) await publisher.unbind(publisher.lastEndpoint ?? endpoint);
      if (router !== undefined && replayEndpoint !== undefined && isBound(replayEndpoint)) {
        await router.unbind(router.lastEndpoint ?? replayEndpoint);
      }
      close();
      await answering;
    },
  };
}

/** ZeroMQ frees the port of a closed socket a moment after it says so. */
const BIND_ATTEMPTS = 20;
const BIND_PAUSE_MS = 25;

async function open(socket: Socket, endpoint: string): Promise<void> {
  try {
    if (isBound(endpoint)) await bind(socket, endpoint);
    else socket.connect(endpoint);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`cannot publish KV events on ${endpoint}: ${reason}`, { cause });
  }
}

async function bind(socket: Socket, endpoint: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await socket.bind(endpoint);
      return;
    } catch (error) {
      const isTaken = error instanceof Error && "code" in error && error.code === "EADDRINUSE";
      if (!isTaken || attempt === BIND_ATTEMPTS) throw error;
      await delay(BIND_PAUSE_MS);
    }
  }
}

/** vLLM binds to wildcards and local addresses and connects to all others. */
function isBound(endpoint: string): boolean {
  return /[*]|::|^ipc:|^inproc:/.test(endpoint);
}

/** Requests are ["", first number]; each kept message answers with ["", number, payload]. */
async function answerReplays(router: Router, kept: readonly Sent[], log: Log): Promise<void> {
  try {
    for await (const [client, , start] of router) {
      if (client === undefined || start?.length !== 8) continue;
      const from = start.readBigUInt64BE();
      for (const { sequence, payload } of kept.filter(({ number }) => BigInt(number) >= from)) {
        await router.send([client, EMPTY, sequence, payload]);
      }
      await router.send([client, EMPTY, END, EMPTY]);
    }
  } catch (error) {
    if (!router.closed) log.warn("kv-replay-failed", { error: String(error) });
  }
}
