/** Kinds of metrics, as Prometheus names them. */
export type MetricType = "counter" | "gauge" | "histogram";

/** One exported metric. */
export interface MetricSpec {
  readonly name: string;
  readonly type: MetricType;
  readonly help: string;
  readonly labels: readonly string[];
  /** Upper bounds; histograms have them, others do not. */
  readonly buckets?: readonly number[];
  /** Older names under which llm-d exported the same values, the latest first. */
  readonly aliases?: readonly MetricAlias[];
}

/** A deprecated second name; values that differ only in dropped labels are summed. */
export interface MetricAlias {
  readonly name: string;
  readonly labels: readonly string[];
  /** Labels of the metric that the alias spells differently, as alias label to metric label. */
  readonly renamed?: Readonly<Record<string, string>>;
}

/** Labels of a metric of one plugin. */
export const PLUGIN = ["plugin_name", "plugin_type"] as const;

/** A metric that llm-d's picker has as well. */
export function llmd(
  name: string,
  type: MetricType,
  labels: readonly string[],
  help: string,
): MetricSpec {
  return { name: `llm_d_epp_${name}`, type, labels, help };
}

/** A metric that only this router has. */
export function own(
  name: string,
  type: MetricType,
  labels: readonly string[],
  help: string,
): MetricSpec {
  return { name: `switchyard_${name}`, type, labels, help };
}

/** A counter of what is read from engines. */
export function datalayer(name: string, more: readonly string[], help: string): MetricSpec {
  const labels = ["source_type", ...more];
  const alias = { name: `llm_d_inference_scheduler_datalayer_${name}`, labels };
  return { ...llmd(`datalayer_${name}`, "counter", labels, help), aliases: [alias] };
}

/** A metric of engines' KV events. */
export function kvEvents(name: string, type: MetricType, help: string): MetricSpec {
  const alias = { name: `kvcache_kvevents_${name}`, labels: ["name"] };
  return { ...llmd(`kv_cache_events_${name}`, type, ["name"], help), aliases: [alias] };
}

/** A mean over a pool's endpoints. */
export function pool(name: string, help: string): MetricSpec {
  const alias = { name: `inference_pool_${name}`, labels: ["name"] };
  return { ...llmd(name, "gauge", ["name"], help), aliases: [alias] };
}

/** A spread over a pool's endpoints. */
export function stdDev(name: string, of: string): MetricSpec {
  return llmd(name, "gauge", ["name"], `Sample standard deviation of ${of}.`);
}

/** A counter of decisions whether to split. */
export function disagg(name: string): MetricSpec {
  const labels = [...PLUGIN, "model_name", "decision_type"];
  const alias = {
    name: `llm_d_inference_scheduler_${name}`,
    labels: ["model_name", "decision_type"],
  };
  return {
    ...llmd(name, "counter", labels, "Decisions to split a request or not."),
    aliases: [alias],
  };
}

/** Names of the releases with InferenceObjectives, and of those with InferenceModels, which had no priority. */
export function objective(name: string, labels: readonly string[]): readonly MetricAlias[] {
  const older = labels.filter((label) => label !== "priority");
  return [
    { name: `inference_objective_${name}`, labels },
    { name: `inference_model_${name}`, labels: older },
  ];
}

/** Name of the releases that were an extension of Gateway API. */
export function extension(name: string, labels: readonly string[]): MetricAlias {
  return { name: `inference_extension_${name}`, labels };
}
