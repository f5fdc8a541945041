import type { Json } from "../core/json.ts";
import { describeMappings } from "./describe-mappings.ts";
import type { ConfigNote, RouterConfig } from "./router-config.ts";

/**
 * The loaded configuration as `/api/config` shows it: defaults filled in, internal plugins
 * included.
 */
export function describeConfig(config: RouterConfig): Json {
  const scorers = new Set(
    config.plugins
      .filter(({ definition }) => definition.roles.includes("score"))
      .map(({ name }) => name),
  );
  return {
    plugins: config.plugins.map(({ name, definition, parameters }) => ({
      name,
      type: definition.type,
      roles: definition.roles,
      stability: definition.stability,
      parameters: toJson(parameters),
    })),
    profiles: config.profiles.map(({ name, plugins }) => ({
      name,
      plugins: plugins.map(({ pluginRef, weight }) =>
        scorers.has(pluginRef) ? { pluginRef, weight } : { pluginRef },
      ),
    })),
    objectives: config.objectives.map(({ name, priority }) => ({ name, priority })),
    rewrites: config.rewrites.map(({ name, rules }) => ({
      name,
      rules: rules.map(({ matches, targets }) => ({
        matches,
        targets: targets.map(({ model, weight }) => ({ model, weight: weight ?? null })),
      })),
    })),
    mappings: describeMappings(config),
    notes: config.notes.map(describeNote),
  };
}

function describeNote({ message, position }: ConfigNote): Json {
  return position === undefined ? { message } : { message, ...position };
}

/**
 * Parameters come from YAML, which has numbers that JSON lacks: they become null, as in
 * JSON.stringify.
 */
function toJson(value: unknown): Json {
  if (typeof value === "number") return Number.isFinite(value) ? value : null;
  if (typeof value === "string" || typeof value === "boolean") return value;
  if (Array.isArray(value)) return value.map(toJson);
  if (typeof value !== "object" || value === null) return null;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, toJson(inner)]));
}
