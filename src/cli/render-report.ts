import { formatTable } from "../app/table.ts";
import type { Distribution } from "../sim/quantiles.ts";
import type { Report, ServiceReport, Summary } from "../sim/report.ts";

/** A report for people: one section a service. */
export function renderReport(report: Report): string {
  const { simulatedSeconds, isComplete } = report;
  return [
    ...report.services.map(renderService),
    `Simulated ${simulatedSeconds.toFixed(1)} s, seed ${report.seed}.`,
    ...(isComplete ? [] : ["Interrupted: requests under way are counted as arrived only."]),
  ].join("\n\n");
}

function renderService(service: ServiceReport): string {
  const { requests, goodput, kvTransfer } = service;
  const lost = [...Object.entries(requests.rejected), ...Object.entries(requests.failed)];
  const lines = [
    `${service.service} (${service.modelName}), ${service.workload}`,
    "",
    `requests   ${requests.arrived} arrived, ${requests.completed} completed${lost
      .map(([reason, count]) => `, ${count} ${reason}`)
      .join("")}`,
    `rates      ${fixed(service.requestsPerSecond, 2)} requests/s, ` +
      `${fixed(service.outputTokensPerSecond, 0)} output tokens/s`,
    `cache      ${percent(service.cacheHitRatio)} of prompt tokens, ${service.preemptions} preemptions`,
  ];
  if (goodput !== null) {
    const { slo, ratio, requestsPerSecond } = goodput;
    lines.push(
      `goodput    ${percent(ratio)}, ${fixed(requestsPerSecond, 2)} requests/s within TTFT ` +
        `${slo.ttftMs} ms and TPOT ${slo.tpotMs} ms`,
    );
  }
  if (kvTransfer.count + kvTransfer.failedCount > 0) {
    lines.push(
      `transfers  ${kvTransfer.count} of ${fixed(kvTransfer.bytes / 1e9, 2)} GB in all, ` +
        `${fixed(kvTransfer.ms?.mean ?? 0, 1)} ms mean, ${kvTransfer.failedCount} failed`,
    );
  }
  const latencies = formatTable(
    ["ms", "mean", "p50", "p90", "p95", "p99"],
    [
      ["time to first token", ...cells(service.ttftMs, 1)],
      ["time per output token", ...cells(service.tpotMs, 2)],
      ["end to end", ...cells(service.e2eMs, 1)],
    ],
  );
  return [lines.join("\n"), latencies, ...stageTable(service), endpointTable(service)].join("\n\n");
}

function stageTable({ stages }: ServiceReport): readonly string[] {
  if (stages.length === 0) return [];
  const header = ["stage", "req/s", "tok/s", "TTFT mean", "TTFT p95", "TPOT mean", "cached"];
  const rows = stages.map((stage: Summary & { readonly stage: string }) => [
    stage.stage,
    fixed(stage.requestsPerSecond, 2),
    fixed(stage.outputTokensPerSecond, 0),
    fixed(stage.ttftMs?.mean, 1),
    fixed(stage.ttftMs?.p95, 1),
    fixed(stage.tpotMs?.mean, 2),
    fixed(100 * stage.cacheHitRatio, 1),
  ]);
  return [formatTable(header, rows)];
}

function endpointTable({ endpoints }: ServiceReport): string {
  const header = ["endpoint", "role", "requests", "share %", "busy %", "cached %", "queue", "KV %"];
  const rows = endpoints.map((endpoint) => [
    endpoint.endpoint,
    endpoint.role,
    String(endpoint.legs),
    fixed(100 * endpoint.shareRatio, 1),
    fixed(100 * endpoint.busyRatio, 1),
    fixed(100 * endpoint.cacheHitRatio, 1),
    String(endpoint.queuePeak),
    fixed(100 * endpoint.kvCacheUsagePeak, 1),
  ]);
  return formatTable(header, rows);
}

function cells(distribution: Distribution | null, digits: number): readonly string[] {
  const { mean, p50, p90, p95, p99 } = distribution ?? {};
  return [mean, p50, p90, p95, p99].map((value) => fixed(value, digits));
}

function fixed(value: number | undefined, digits: number): string {
  return value === undefined ? "-" : value.toFixed(digits);
}

function percent(ratio: number): string {
  return `${(100 * ratio).toFixed(1)} %`;
}
