import type { RouterConfig } from "../config/router-config.ts";
import { ConfigError, type ConfigFault } from "../core/config-error.ts";
import { tokenBackendOf } from "../plugins/data-producer/token.ts";

/**
 * The configuration, if threads that each make it decide like one; throws ConfigError for a plugin that
 * decides by what it alone remembers, and for what only the main thread would hear of.
 */
export function fitForThreads(
  config: RouterConfig,
  reads: { readonly hasKvEvents: boolean },
): RouterConfig {
  const faults = config.plugins.flatMap((entry): readonly ConfigFault[] => {
    const { name, definition, parameters, position } = entry;
    const plugin = name === definition.type ? name : `${name} (${definition.type})`;
    const backend = tokenBackendOf(definition.type, parameters);
    const reason =
      (definition.state ?? "private") === "private"
        ? "keeps private state, so threads would decide differently from one"
        : backend !== undefined && backend.kind !== "estimate"
          ? "asks for tokens, which threads do not share"
          : undefined;
    if (reason === undefined) return [];
    const message = `plugin ${plugin} ${reason}; run one thread or remove it`;
    return [{ path: "--threads", message, ...(position === undefined ? {} : { position }) }];
  });
  if (reads.hasKvEvents) {
    const message = "engines' KV events are read by one thread and not shared; run one thread";
    faults.push({ path: "--threads", message });
  }
  if (faults.length > 0) throw new ConfigError(faults);
  return config;
}
