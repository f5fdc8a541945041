import type { MetricSpec } from "./metric-spec.ts";
import { METRIC_KEYS, METRIC_TABLE } from "./metric-table.ts";

/** The text of `docs/metrics.md`. */
export function metricsPage(): string {
  const rows = METRIC_KEYS.map((key) => rowOf(METRIC_TABLE[key]));
  return `# Metrics

\`GET /metrics\` on the admin port. Names are those of the llm-d endpoint picker where it has one, and
begin with \`switchyard_\` where it has none. A deprecated name carries the same values as the name beside
it. Durations of requests are seconds of engine time. At most 1000 models have series of their own, the
others share \`other\`; a request for a model that no pool serves counts as \`unknown\`. Beside these stand
those of the process, \`process_…\` and \`nodejs_…\`: CPU, memory, event-loop delay, garbage collection
(\`nodejs_eventloop_lag_…\` but the first is sampled every 100 ms, so it is 0.1 at rest).

| Name | Type | Labels | Meaning | Deprecated names |
|---|---|---|---|---|
${rows.join("\n")}

## Buckets

${METRIC_KEYS.flatMap((key) => bucketsOf(METRIC_TABLE[key])).join("\n")}
`;
}

function rowOf(spec: MetricSpec): string {
  const older = (spec.aliases ?? [])
    .map(({ name, labels }) => `\`${name}\`${listed(labels, " ")}`)
    .join("; ");
  return `| \`${spec.name}\` | ${spec.type} |${listed(spec.labels, " ")} | ${spec.help} | ${older} |`;
}

function listed(labels: readonly string[], before: string): string {
  return labels.length === 0 ? "" : before + labels.map((label) => `\`${label}\``).join(", ");
}

function bucketsOf(spec: MetricSpec): readonly string[] {
  return spec.buckets === undefined ? [] : [`* \`${spec.name}\`: ${spec.buckets.join(", ")}`];
}
