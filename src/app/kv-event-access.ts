import { z } from "zod";
import type { PluginEntry, RouterConfig } from "../config/router-config.ts";
import { ConfigError, type ConfigFault } from "../core/config-error.ts";
import type { KvEventAccess } from "../datalayer/kv-event-subscriber.ts";
import { faultsOf } from "../plugin/params.ts";

/** What the command line says of engines' KV-event sockets; it goes before the configuration. */
export interface KvEventFlags {
  readonly port?: number | undefined;
  readonly replayPort?: number | undefined;
  readonly topicFilter?: string | undefined;
}

const port = z.int().min(1).max(65535);

/** The part of llm-d's `kvEventsConfig` that says where events are; other fields are the producer's. */
const schema = z.looseObject({
  zmqEndpoint: z.string().optional(),
  topicFilter: z.string().max(1024).default(""),
  discoverPods: z.boolean().default(true),
  podDiscoveryConfig: z
    .looseObject({
      // llm-d's default.
      socketPort: port.default(5557),
      replaySocketPort: port.or(z.literal(0)).default(0),
    })
    .prefault({}),
});

/** Types whose parameters hold a `kvEventsConfig`, today's and the earlier one. */
const READERS: readonly string[] = ["precise-prefix-cache-producer", "precise-prefix-cache-scorer"];

/**
 * Where the engines' KV events are read; undefined when neither the configuration nor a flag asks for
 * them. Throws ConfigError.
 */
export function kvEventAccess(
  config: RouterConfig,
  flags: KvEventFlags,
): KvEventAccess | undefined {
  const configured = configuredAccess(config, flags);
  if (configured === undefined && flags.port === undefined) {
    if (flags.replayPort === undefined && flags.topicFilter === undefined) return undefined;
    throw new ConfigError([{ path: "--kv-events-port", message: "is needed as well" }]);
  }
  return {
    port: flags.port ?? configured?.port ?? 0,
    replayPort: flags.replayPort ?? configured?.replayPort ?? 0,
    topicFilter: flags.topicFilter ?? configured?.topicFilter ?? "",
  };
}

function configuredAccess(
  { plugins }: RouterConfig,
  flags: KvEventFlags,
): KvEventAccess | undefined {
  const reader = plugins.find(({ definition }) => READERS.includes(definition.type));
  if (reader === undefined) return undefined;
  const parsed = schema.safeParse(kvEventsConfigOf(reader));
  if (!parsed.success) throw faulty(reader, parsed.error.issues.flatMap(faultsOf));
  const { zmqEndpoint, topicFilter, discoverPods, podDiscoveryConfig } = parsed.data;
  if (!discoverPods) {
    if (zmqEndpoint === undefined || flags.port !== undefined) return undefined;
    const message =
      "engines cannot connect here; with discoverPods or --kv-events-port they are connected to";
    throw faulty(reader, [{ path: "zmqEndpoint", message }]);
  }
  const { socketPort, replaySocketPort } = podDiscoveryConfig;
  return { port: socketPort, replayPort: replaySocketPort, topicFilter };
}

function faulty({ name, position }: PluginEntry, faults: readonly ConfigFault[]): ConfigError {
  return new ConfigError(
    faults.map(({ path, message }) => ({
      message,
      path: `${name}.parameters.kvEventsConfig.${path}`,
      ...(position !== undefined && { position }),
    })),
  );
}

function kvEventsConfigOf({ parameters }: PluginEntry): unknown {
  const isRecord = typeof parameters === "object" && parameters !== null;
  return (isRecord && "kvEventsConfig" in parameters ? parameters.kvEventsConfig : null) ?? {};
}
