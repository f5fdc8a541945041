import type { MetricAlias, MetricSpec } from "./metric-spec.ts";
import { HistogramSeries, type NumberSeries } from "./series.ts";

/** A metric in Prometheus' text format. */
export function renderMetric(
  spec: MetricSpec,
  series: Iterable<NumberSeries | HistogramSeries>,
): string {
  return render(spec.help, spec.type, spec, series);
}

/** Values under a deprecated name: made when they are read, so that they cost a request nothing. */
export function renderAlias(
  spec: MetricSpec,
  alias: MetricAlias,
  series: Iterable<NumberSeries | HistogramSeries>,
): string {
  return render(`Deprecated: use ${spec.name}.`, spec.type, alias, series);
}

function render(
  help: string,
  type: string,
  shown: MetricAlias,
  series: Iterable<NumberSeries | HistogramSeries>,
): string {
  const { name } = shown;
  // Series that differ only in labels that are not shown are one.
  const sums = new Map<string, number>();
  const add = (line: string, value: number): void => {
    sums.set(line, (sums.get(line) ?? 0) + value);
  };
  for (const one of series) {
    const pairs = shown.labels.map((label) => {
      const text = one.labels[shown.renamed?.[label] ?? label] ?? "";
      return `${label}="${escaped(text)}"`;
    });
    if (one instanceof HistogramSeries) addHistogram(name, pairs, one, add);
    else add(name + braced(pairs), one.value);
  }
  const lines = [...sums].map(([line, value]) => `${line} ${value}`);
  return `${[`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines].join("\n")}\n`;
}

function addHistogram(
  name: string,
  pairs: readonly string[],
  { bounds, counts, sum }: HistogramSeries,
  add: (line: string, value: number) => void,
): void {
  let below = 0;
  for (const [bucket, count] of counts.entries()) {
    below += count;
    add(`${name}_bucket${braced([`le="${bounds[bucket] ?? "+Inf"}"`, ...pairs])}`, below);
  }
  add(`${name}_sum${braced(pairs)}`, sum);
  add(`${name}_count${braced(pairs)}`, below);
}

function braced(pairs: readonly string[]): string {
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escaped(text: string): string {
  return text.replace(/\\/g, "\\\\").replace(/\n/g, "\\n").replace(/"/g, '\\"');
}
