import { z } from "zod";
import { ConfigError } from "../core/config-error.ts";
import type { KvEventEncoding } from "../engine-server/kv-event-encoding.ts";
import type { KvEventSocketOptions } from "../engine-server/kv-event-socket.ts";
import { faultsOf } from "../plugin/params.ts";

const address = z
  .string()
  .regex(/^(tcp|ipc):\/\/\S+$/, { error: "must be tcp://HOST:PORT or ipc://PATH" });
const count = z.int().min(1).max(10_000_000);

/** vLLM's `KVEventsConfig`, with its defaults. */
const schema = z.strictObject({
  enable_kv_cache_events: z.boolean().default(false),
  publisher: z.enum(["null", "zmq"]).nullable().default(null),
  endpoint: address.default("tcp://*:5557"),
  replay_endpoint: address.nullable().default(null),
  buffer_steps: count.default(10_000),
  hwm: count.default(100_000),
  /** A publisher that does not wait has no queue. */
  max_queue_size: count.default(100_000),
  topic: z.string().max(1024).default(""),
});

/**
 * Reads the JSON of vLLM's `--kv-events-config`; undefined where it publishes nothing. Throws ConfigError.
 */
export function readKvEventsConfig(
  text: string,
  shape: { encoding: KvEventEncoding; isHashInt: boolean },
): KvEventSocketOptions | undefined {
  const parsed = schema.safeParse(parseJson(text));
  if (!parsed.success) {
    const faults = parsed.error.issues.flatMap((issue) => faultsOf(issue));
    throw new ConfigError(faults.map((fault) => ({ ...fault, path: pathTo(fault.path) })));
  }
  const config = parsed.data;
  if (!config.enable_kv_cache_events || config.publisher === "null") return undefined;
  return {
    ...shape,
    endpoint: config.endpoint,
    replayEndpoint: config.replay_endpoint ?? undefined,
    bufferSteps: config.buffer_steps,
    hwm: config.hwm,
    topic: config.topic,
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw new ConfigError([{ path: FLAG, message: "must be a JSON object" }]);
  }
}

const FLAG = "--kv-events-config";

function pathTo(field: string): string {
  return field === "" ? FLAG : `${FLAG} ${field}`;
}
