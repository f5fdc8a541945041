import type { MetricAlias, MetricSpec } from "./metric-spec.ts";

/** Current values of a metric, as prom-client gives them. */
export interface AliasSource {
  readonly values: readonly {
    readonly value: number;
    readonly labels: Readonly<Partial<Record<string, string | number>>>;
    /** Name with `_bucket`, `_sum` or `_count`; absent for counters and gauges. */
    readonly metricName?: string;
  }[];
}

/** Values under a deprecated name: made when they are read, so that they cost a request nothing. */
export function renderAlias(spec: MetricSpec, alias: MetricAlias, source: AliasSource): string {
  const sums = new Map<string, number>();
  for (const { value, labels, metricName } of source.values) {
    const suffix = (metricName ?? spec.name).slice(spec.name.length);
    const names = labels["le"] === undefined ? alias.labels : ["le", ...alias.labels];
    const pairs = names.map((name) => {
      const text = String(labels[alias.renamed?.[name] ?? name] ?? "");
      return `${name}="${escaped(text)}"`;
    });
    const series = alias.name + suffix + (pairs.length === 0 ? "" : `{${pairs.join(",")}}`);
    sums.set(series, (sums.get(series) ?? 0) + value);
  }
  const lines = [...sums].map(([series, value]) => `${series} ${value}`);
  const help = `# HELP ${alias.name} Deprecated: use ${spec.name}.`;
  return `${[help, `# TYPE ${alias.name} ${spec.type}`, ...lines].join("\n")}\n`;
}

function escaped(text: string): string {
  return text.replace(/\\/g, "\\\\").replace(/\n/g, "\\n").replace(/"/g, '\\"');
}
