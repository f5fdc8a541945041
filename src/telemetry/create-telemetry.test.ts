import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { exchangeReport } from "../../test/fixtures/exchange-report.ts";
import { endpointId, modelName } from "../core/brand.ts";
import type { PdOutcome } from "../core/exchange-report.ts";
import { COUNTERS, HISTOGRAMS } from "../core/meter.ts";
import { EndpointStore } from "../endpoints/endpoint-store.ts";
import {
  inFlightRequests,
  kvCacheUsage,
  scrapedWaitingQueueDepth,
  waitingQueueDepth,
} from "../endpoints/numeric-attribute.ts";
import { createTelemetry, type Telemetry } from "./create-telemetry.ts";
import { endedSnapshot } from "./instruments.ts";
import { METRIC_KEYS, METRIC_TABLE } from "./metric-table.ts";
import { metricsPage } from "./metrics-page.ts";
import type { PoolView } from "./pool-gauges.ts";

const M =
  'model_name="model-a",target_model_name="model-a",fairness_id="default-flow",priority="0"';

test("telemetry: a finished stream fills every request metric, in seconds", async () => {
  const telemetry = telemetryOver([]);
  telemetry.observer.started(modelName("model-a"));
  telemetry.observer.chunkGap(modelName("model-a"), 30);
  const usage = { promptTokens: 200, completionTokens: 11, cachedTokens: 64 };
  telemetry.observer.finished(exchangeReport({}, { usage, ttftMs: 1000, retryCount: 0 }));
  assertLines(await linesOf(telemetry), [
    `llm_d_epp_request_total{${M}} 1`,
    `llm_d_epp_request_running{${M}} 0`,
    `llm_d_epp_request_duration_seconds_sum{${M}} 5`,
    `llm_d_epp_request_size_bytes_sum{${M}} 1000`,
    `llm_d_epp_response_size_bytes_sum{${M}} 2000`,
    `llm_d_epp_request_input_tokens_sum{${M}} 200`,
    `llm_d_epp_request_output_tokens_sum{${M}} 11`,
    `llm_d_epp_request_cached_tokens_sum{${M}} 64`,
    `llm_d_epp_request_ttft_seconds_sum{${M},streaming="true"} 1`,
    `llm_d_epp_request_streaming_tpot_seconds_sum{${M}} 0.4`,
    `llm_d_epp_request_streaming_itl_seconds_bucket{le="0.04",${M}} 1`,
    `llm_d_epp_request_streaming_itl_seconds_bucket{le="0.02",${M}} 0`,
    `llm_d_epp_request_ntpot_seconds_count{${M}} 1`,
    'inference_objective_request_total{model_name="model-a",target_model_name="model-a",priority="0"} 1',
    'inference_objective_running_requests{model_name="model-a"} 0',
    'inference_model_request_total{model_name="model-a",target_model_name="model-a"} 1',
    'inference_model_running_requests{model_name="model-a"} 0',
    'inference_objective_request_duration_seconds_bucket{le="4",model_name="model-a",target_model_name="model-a"} 0',
    'inference_objective_request_duration_seconds_bucket{le="5",model_name="model-a",target_model_name="model-a"} 1',
    "# TYPE inference_objective_request_duration_seconds histogram",
  ]);
});

test("telemetry: unknown token counts are not observed as zero", async () => {
  const telemetry = telemetryOver([]);
  telemetry.observer.finished(exchangeReport());
  const text = (await linesOf(telemetry)).join("\n");
  for (const name of ["input_tokens", "output_tokens", "cached_tokens", "ntpot_seconds"]) {
    assert.ok(!text.includes(`request_${name}_sum`), name);
  }
});

test("telemetry: refusals count by reason, as failed attempts only when something was decided", async () => {
  const telemetry = telemetryOver([]);
  const refused = { how: "rejected", model: undefined, endpoint: undefined } as const;
  const front = { ...refused, rejection: "body-too-large", decisionId: undefined } as const;
  telemetry.observer.finished(exchangeReport(front, { status: 413 }));
  const scheduled = { ...refused, rejection: "filtered-out", decisionId: "alpha.2" } as const;
  telemetry.observer.finished(exchangeReport(scheduled, { status: 429 }));
  const lines = await linesOf(telemetry);
  assertLines(lines, [
    'switchyard_rejections_total{reason="body-too-large"} 1',
    'switchyard_rejections_total{reason="filtered-out"} 1',
    'llm_d_epp_scheduler_attempts_total{status="failure",target_model_name="unknown",endpoint_name="",namespace="",port=""} 1',
  ]);
  assert.ok(lines.some((line) => /request_error_total.*"unknown".*error_code="413"} 1/.test(line)));
  assert.ok(!lines.some((line) => line.startsWith("llm_d_epp_request_total{")));
});

test("telemetry: a list of models is no request for a model", async () => {
  const telemetry = telemetryOver([]);
  telemetry.observer.finished(exchangeReport({ model: undefined, decisionId: undefined }));
  assert.ok(
    !(await linesOf(telemetry)).some((line) => line.startsWith("llm_d_epp_request_total{")),
  );
});

test("telemetry: retries and P/D outcomes have bounded reasons", async () => {
  const telemetry = telemetryOver([]);
  const retries = { retryCount: 3, retryReasons: ["engine-busy", "connect-failed"] } as const;
  telemetry.observer.finished(exchangeReport({}, { ...retries, pd: fallback("prefill-timeout") }));
  telemetry.observer.finished(exchangeReport({}, { pd: fallback('Bad "reason"') }));
  const refused: PdOutcome = { ...fallback("status-404"), outcome: "refused" };
  telemetry.observer.finished(exchangeReport({}, { pd: refused }));
  for (let i = 0; i < 100; i++) {
    telemetry.observer.finished(exchangeReport({}, { pd: fallback(`reason-${i}`) }));
  }
  const lines = await linesOf(telemetry);
  assertLines(lines, [
    'switchyard_retries_total{reason="engine-busy"} 1',
    'switchyard_retries_total{reason="connect-failed"} 1',
    'switchyard_retries_total{reason="other"} 1',
    'switchyard_pd_fallback_total{reason="prefill-timeout"} 1',
    'switchyard_pd_fallback_total{reason="other"} 71',
    'switchyard_pd_refusals_total{reason="status-404"} 1',
    "switchyard_pd_transfer_bytes_total 103000",
    "switchyard_pd_transfer_seconds_count 103",
  ]);
});

test("telemetry: after a thousand models the rest share one label", async () => {
  const telemetry = telemetryOver([]);
  for (let i = 0; i < 1010; i++) telemetry.observer.started(modelName(`m${i}`));
  const running = (await linesOf(telemetry)).filter((line) =>
    line.startsWith("llm_d_epp_request_running{"),
  );
  assert.equal(running.length, 1001);
  assert.ok(running.some((line) => /"other".* 10$/.test(line)));
});

test("telemetry: the core's counts have exported names and no label of their own making", async () => {
  const telemetry = telemetryOver([]);
  const { meter } = telemetry;
  const plugin = { plugin_type: "queue-scorer", plugin_name: "q" };
  meter.count("decisions", {
    status: "success",
    model: "m",
    endpoint: "alpha-0",
    stages: "prefill-decode",
  });
  meter.count("plugin-failures", { ...plugin, extension_point: "score" }, 2);
  meter.count("endpoint-changes", { change: "added" });
  meter.count("exchanges-expired", {});
  meter.observe("decision-ms", {}, 2);
  meter.observe("plugin-ms", { ...plugin, extension_point: "score" }, 0.5);
  meter.observe("prefix-hit-ratio", { ...plugin, stray: "x" }, 0.5);
  meter.observe("prefix-hit-bytes", plugin, 1024);
  assertLines(await linesOf(telemetry), [
    'llm_d_epp_scheduler_attempts_total{status="success",target_model_name="m",endpoint_name="alpha-0",namespace="",port=""} 1',
    'inference_extension_scheduler_attempts_total{status="success",target_model_name="m",pod_name="alpha-0",namespace="",port=""} 1',
    'llm_d_inference_scheduler_pd_decision_total{model_name="m",decision_type="prefill-decode"} 1',
    'llm_d_epp_disagg_decision_total{plugin_name="",plugin_type="",model_name="m",decision_type="prefill-decode"} 1',
    'switchyard_plugin_failures_total{plugin_type="queue-scorer",plugin_name="q",extension_point="score"} 2',
    'switchyard_endpoint_changes_total{change="added"} 1',
    "switchyard_expired_exchanges_total 1",
    "llm_d_epp_scheduler_e2e_duration_seconds_sum 0.002",
    "inference_extension_scheduler_e2e_duration_seconds_sum 0.002",
    'llm_d_epp_prefix_indexer_hit_bytes_sum{plugin_name="q",plugin_type="queue-scorer"} 1024',
    'llm_d_epp_info{commit="abc",build_ref="v1"} 1',
  ]);
});

test("telemetry: every name of the core's port is accepted", () => {
  const { meter } = telemetryOver([]);
  for (const name of COUNTERS) meter.count(name, {});
  for (const name of HISTOGRAMS) meter.observe(name, {}, 1);
});

test("telemetry: pool gauges leave unknown values out and forget endpoints that are gone", async () => {
  const store = new EndpointStore();
  for (const [i, name] of ["a", "b", "c", "d"].entries()) {
    const endpoint = { id: endpointId(name), address: `127.0.0.1:${i + 1}`, labels: {} };
    store.apply({ kind: "added", endpoint });
    store.setReady(i, name !== "d");
    store.column(waitingQueueDepth)[i] = [2, 4, Number.NaN, 100][i] ?? 0;
    store.column(scrapedWaitingQueueDepth)[i] = [1, 4, Number.NaN, 100][i] ?? 0;
    store.column(kvCacheUsage)[i] = [0.5, Number.NaN, Number.NaN, 1][i] ?? 0;
    store.column(inFlightRequests)[i] = i;
  }
  const index = { pluginName: "p", pluginType: "t", sizeBytes: 4096, blockCount: 7 };
  const telemetry = telemetryOver([
    { name: "alpha", endpoints: store, indexes: [index, index], kvSubscriberCount: 2 },
  ]);
  assertLines(await linesOf(telemetry), [
    'llm_d_epp_ready_endpoints{name="alpha"} 3',
    'llm_d_epp_kv_cache_events_active_subscribers{name="alpha"} 2',
    'inference_pool_ready_pods{name="alpha"} 3',
    'llm_d_epp_average_queue_size{name="alpha"} 3',
    `llm_d_epp_std_dev_queue_size{name="alpha"} ${Math.SQRT2}`,
    'llm_d_epp_average_kv_cache_utilization{name="alpha"} 0.5',
    'llm_d_epp_std_dev_kv_cache_utilization{name="alpha"} 0',
    'llm_d_epp_per_endpoint_queue_size{name="alpha",model_server_endpoint="a"} 1',
    'inference_pool_per_pod_queue_size{name="alpha",model_server_pod="b"} 4',
    'switchyard_inflight_requests{name="alpha",endpoint="d"} 3',
    'llm_d_epp_inflight_requests{endpoint_name="d"} 3',
    'llm_d_epp_inflight_tokens{endpoint_name="a"} 0',
    'switchyard_index_bytes{plugin_name="p",plugin_type="t"} 8192',
    "inference_extension_prefix_indexer_size 14",
    "switchyard_buffered_bytes 77",
  ]);
  store.apply({ kind: "removed", id: endpointId("b") });
  const text = (await linesOf(telemetry)).join("\n");
  assert.ok(!text.includes('"b"') && !text.includes("running_requests{name"));
});

test("telemetry: what threads counted adds up, and of one that has ended the gauges are gone", async () => {
  const [main, first, second] = [telemetryOver([]), telemetryOver([]), telemetryOver([])];
  for (const thread of [first, second, second]) {
    thread.observer.started(modelName("model-a"));
    thread.observer.finished(exchangeReport());
  }
  second.observer.started(modelName("model-a"));
  const snapshots = [first.snapshot(), second.snapshot()];
  // Snapshots come from another thread.
  const copies = structuredClone(snapshots);
  const whole = (await main.expose(copies)).text;
  assertLines(whole.split("\n"), [
    `llm_d_epp_request_total{${M}} 3`,
    `llm_d_epp_request_running{${M}} 1`,
    `llm_d_epp_request_size_bytes_sum{${M}} 3000`,
    'inference_objective_request_total{model_name="model-a",target_model_name="model-a",priority="0"} 3',
  ]);
  // The process is one, however many threads it has.
  assert.equal(whole.match(/^nodejs_version_info\{.*\} 1$/gm)?.length, 1);
  assert.match(whole, /^process_start_time_seconds \d+$/m);
  assert.doesNotMatch(JSON.stringify(snapshots), /"(process|nodejs)_/);
  const ended = endedSnapshot(copies);
  const { text } = await main.expose([endedSnapshot([ended, copies[0] ?? []])]);
  assert.match(text, /llm_d_epp_request_total\{.*\} 4/);
  assert.doesNotMatch(text, /llm_d_epp_request_running\{/);
});

test("telemetry: two instances do not share a registry, and the text is well formed", async () => {
  const first = telemetryOver([]);
  first.meter.count("endpoint-changes", { change: 'quo"te\\\n' });
  assert.ok(!(await linesOf(telemetryOver([]))).some((line) => line.includes("quo")));
  const { contentType, text } = await first.expose();
  assert.match(contentType, /^text\/plain; version=0\.0\.4/);
  const line =
    /^(# (HELP|TYPE) .+|[a-z0-9_]+(\{[a-z_]+="([^"\\]|\\["\\n])*"(,[a-z_]+="([^"\\]|\\["\\n])*")*\})? \S+|)$/;
  for (const each of text.split("\n")) assert.match(each, line);
  const names = [...text.matchAll(/^# TYPE (\S+)/gm)].map((match) => match[1]);
  assert.equal(new Set(names).size, names.length, "no name is exported twice");
});

test("metric-table: names are unique, counters end in _total, histograms have rising buckets", () => {
  const specs = METRIC_KEYS.map((key) => METRIC_TABLE[key]);
  assert.equal(new Set(specs.map((spec) => spec.name)).size, specs.length);
  for (const { name, type, buckets, labels, aliases = [] } of specs) {
    assert.equal(name.endsWith("_total"), type === "counter", name);
    assert.equal(buckets !== undefined, type === "histogram", name);
    assert.deepEqual(
      buckets?.toSorted((a, b) => a - b),
      buckets,
      name,
    );
    for (const alias of aliases) {
      for (const label of alias.labels) {
        assert.ok(labels.includes(alias.renamed?.[label] ?? label), `${alias.name} ${label}`);
      }
    }
  }
});

test("metrics-page: docs/metrics.md is what the table says", () => {
  const page = readFileSync(new URL("../../docs/metrics.md", import.meta.url), "utf8");
  assert.equal(page, metricsPage());
});

function telemetryOver(pools: readonly PoolView[]): Telemetry {
  return createTelemetry({
    pools: () => pools,
    bufferedBytes: () => 77,
    build: { commit: "abc", ref: "v1" },
    accessLog: undefined,
  });
}

async function linesOf(telemetry: Telemetry): Promise<readonly string[]> {
  return (await telemetry.expose()).text.split("\n");
}

function assertLines(lines: readonly string[], wanted: readonly string[]): void {
  const present = new Set(lines);
  assert.deepEqual(
    wanted.filter((line) => !present.has(line)),
    [],
  );
}

function fallback(reason: string): PdOutcome {
  return {
    outcome: "fallback",
    reason,
    prefillEndpoint: null,
    prefillMs: null,
    handleBlocks: null,
    kvBytes: 1000,
    kvMs: 20,
    kvHandshakeMs: null,
    prefillCachedTokens: null,
    decodeCachedTokens: null,
  };
}
