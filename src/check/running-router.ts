import { ConfigError } from "../core/config-error.ts";
import type { Json } from "../core/json.ts";

/** What a running router says of itself on its admin API. */
export interface RunningRouter {
  readonly endpoints: readonly RunningEndpoint[];
  readonly pools: readonly RunningPool[];
}

/** A row of `/api/endpoints`; null is unknown. */
export interface RunningEndpoint {
  readonly pool: string;
  readonly name: string;
  readonly role: string | undefined;
  readonly kvBlockTokens: number | undefined;
  readonly kvBlockCount: number | undefined;
}

/** A pool of `/api/config`. */
export interface RunningPool {
  readonly pool: string;
  readonly model: string | undefined;
  /** Plugins and profiles, without notes. */
  readonly plugins: Json;
  readonly profiles: Json;
}

type Fields = Readonly<Record<string, unknown>>;

/** Reads both answers; throws ConfigError when they are not a router's. */
export function readRunningRouter(endpoints: unknown, config: unknown): RunningRouter {
  const pools = fieldsOf(config, "/api/config")["pools"];
  return {
    endpoints: listOf(endpoints, "/api/endpoints").map((row) => readEndpoint(row)),
    pools: listOf(pools, "/api/config: pools").map((row) => readPool(row)),
  };
}

function readEndpoint(row: unknown): RunningEndpoint {
  const fields = fieldsOf(row, "/api/endpoints");
  const attributes = fieldsOf(fields["attributes"], "/api/endpoints: attributes");
  const role = fieldsOf(fields["labels"], "/api/endpoints: labels")[ROLE_LABEL];
  return {
    pool: String(fields["pool"]),
    name: String(fields["name"]),
    role: typeof role === "string" ? role : undefined,
    kvBlockTokens: numberOf(attributes["kvBlockTokens"]),
    kvBlockCount: numberOf(attributes["kvBlockCount"]),
  };
}

/** Label that KServe gives the pods of a stage. */
const ROLE_LABEL = "llm-d.ai/role";

function readPool(row: unknown): RunningPool {
  const fields = fieldsOf(row, "/api/config: pools");
  const { model, pool } = fields;
  const { plugins, profiles } = fieldsOf(fields["config"], "/api/config: config");
  return {
    pool: String(pool),
    model: typeof model === "string" ? model : undefined,
    // Parsed from JSON, so it is JSON.
    plugins: (plugins ?? null) as Json,
    profiles: (profiles ?? null) as Json,
  };
}

function numberOf(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}

function fieldsOf(value: unknown, what: string): Fields {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
  throw unexpected(what, "an object");
}

function listOf(value: unknown, what: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw unexpected(what, "a list");
}

function unexpected(what: string, form: string): ConfigError {
  const message = `the answer is no switchyard router's: expected ${form}`;
  return new ConfigError([{ path: what, message }]);
}
