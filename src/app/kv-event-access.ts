import type { RouterConfig } from "../config/router-config.ts";
import { ConfigError } from "../core/config-error.ts";
import type { KvEventAccess } from "../datalayer/kv-event-subscriber.ts";
import { askedKvEvents } from "../plugins/data-producer/precise-prefix-cache.ts";

/** What the command line says of engines' KV-event sockets; it goes before the configuration. */
export interface KvEventFlags {
  readonly port?: number | undefined;
  readonly replayPort?: number | undefined;
  readonly topicFilter?: string | undefined;
}

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
  for (const { definition, parameters, name, position } of plugins) {
    const asked = askedKvEvents(definition.type, parameters);
    if (asked === undefined) continue;
    const { zmqEndpoint, topicFilter, discoverPods, podDiscoveryConfig } = asked;
    const { socketPort, replaySocketPort } = podDiscoveryConfig;
    if (discoverPods) return { port: socketPort, replayPort: replaySocketPort, topicFilter };
    if (zmqEndpoint === undefined || flags.port !== undefined) return undefined;
    const path = `${name}.parameters.kvEventsConfig.zmqEndpoint`;
    const message =
      "engines cannot connect here; with discoverPods or --kv-events-port they are connected to";
    throw new ConfigError([{ path, message, ...(position !== undefined && { position }) }]);
  }
  return undefined;
}
