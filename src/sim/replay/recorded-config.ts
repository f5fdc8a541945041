import type { RouterConfig } from "../../config/router-config.ts";
import { profileName } from "../../core/brand.ts";
import { ConfigError } from "../../core/config-error.ts";
import type { RecordedConfig } from "../../director/recorded-line.ts";
import type { Registry } from "../../plugin/registry.ts";

/** The configuration that a recording holds; throws ConfigError when a plugin is not there any more. */
export function routerConfigOf(recorded: RecordedConfig, registry: Registry): RouterConfig {
  return {
    plugins: recorded.plugins.map(({ name, type, parameters }) => {
      const definition = registry.find(type);
      if (definition === undefined) {
        const message = `the recording's plugin ${type} is not known; name its file with --plugin`;
        throw new ConfigError([{ path: "", message }]);
      }
      return {
        name,
        definition,
        configured: definition.configure(parameters),
        parameters,
        position: undefined,
      };
    }),
    profiles: recorded.profiles.map(({ name, plugins }) => ({ name: profileName(name), plugins })),
    objectives: recorded.objectives,
    rewrites: recorded.rewrites.map(({ name, rules }) => ({
      name,
      rules: rules.map(({ matches, targets }) => ({
        matches,
        targets: targets.map(({ model, weight }) => ({ model, weight })),
      })),
    })),
    notes: recorded.notes.map((message) => ({ message, position: undefined })),
    mappings: [],
  };
}
