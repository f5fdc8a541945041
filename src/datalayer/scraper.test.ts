import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../../test/fixtures/eventually.ts";
import { HttpEndpoint, keepingLog, storeOf } from "../../test/fixtures/http-endpoint.ts";
import { endpointId } from "../core/brand.ts";
import { type Meter, noMeter } from "../core/meter.ts";
import type { EndpointTable, MetricSample } from "../endpoints/endpoint-table.ts";
import {
  inFlightRequests,
  kvCacheUsage,
  type NumericAttribute,
  waitingQueueDepth,
} from "../endpoints/numeric-attribute.ts";
import { EndpointClients } from "./endpoint-clients.ts";
import { type Scraper, startScraper } from "./scraper.ts";

const WAITING = { status: 200, body: "vllm:num_requests_waiting 3\n" };

test("scraper: samples arrive with when they began, over one connection", async () => {
  await using engine = await HttpEndpoint.start(() => WAITING);
  const { samples, scraper } = scrape(storeOf([engine.address]));
  await eventually(() => samples.length >= 5);
  await scraper.close();
  const [first] = samples;
  assert.equal(first?.slot, 0);
  assert.deepEqual(first?.sample.values, new Map([[waitingQueueDepth, 3]]));
  for (const { sample, nowMs } of samples) assert.ok(sample.startedAtMs < nowMs);
  assert.equal(engine.connectionCount, 1);
  assert.ok(engine.paths.every((path) => path === "/metrics"));
  assert.equal(scraper.failureCount, 0);
});

test("scraper: an endpoint has one scrape under way at most, and a late one is given up", async () => {
  await using engine = await HttpEndpoint.start(() => undefined);
  const { samples, log, scraper } = scrape(storeOf([engine.address]), { timeoutMs: 60 });
  await eventually(() => scraper.failureCount >= 2);
  await scraper.close();
  assert.ok(engine.paths.length <= scraper.failureCount + 1);
  assert.equal(samples.length, 0);
  assert.deepEqual(log.events, ["scrape-failed e0"]);
});

for (const [name, broken] of [
  ["a status", { status: 500, body: "" }],
  ["no known metric", { status: 200, body: "up 1\n" }],
  [
    "an answer over 8 MiB",
    { status: 200, body: `#${"x".repeat(8 * 1024 * 1024)}\n${WAITING.body}` },
  ],
] as const) {
  test(`scraper: ${name} is a failure, logged once and once more when it is over`, async () => {
    await using engine = await HttpEndpoint.start(() => broken);
    const { samples, log, scraper } = scrape(storeOf([engine.address]));
    await eventually(() => scraper.failureCount >= 3);
    assert.equal(samples.length, 0);
    engine.answering = () => WAITING;
    await eventually(() => samples.length >= 2);
    await scraper.close();
    assert.deepEqual(log.events, ["scrape-failed e0", "scrape-recovered e0"]);
  });
}

test("scraper: an endpoint's label says which engine's metrics are read", async () => {
  const body = "sglang:num_queue_reqs 5\nvllm:num_requests_waiting 3\n";
  await using engine = await HttpEndpoint.start(() => ({ status: 200, body }));
  const store = storeOf([]);
  const labels = { "llm-d.ai/engine-type": "sglang" };
  const endpoint = { id: endpointId("s"), address: engine.address, labels };
  store.apply({ kind: "added", endpoint });
  const { samples, scraper } = scrape(store);
  await eventually(() => samples.length >= 1);
  await scraper.close();
  assert.deepEqual(samples[0]?.sample.values, new Map([[waitingQueueDepth, 5]]));
});

test("scraper: what a scrape lacks is counted each time and logged once", async () => {
  await using engine = await HttpEndpoint.start(() => WAITING);
  const counted: string[] = [];
  const { samples, scraper, log } = scrape(storeOf([engine.address]), {
    columns: [waitingQueueDepth, kvCacheUsage],
    meter: { ...noMeter, count: (name) => counted.push(name) },
  });
  await eventually(() => samples.length >= 3);
  await scraper.close();
  assert.ok(counted.length >= 3 && counted.every((name) => name === "metrics-missing"));
  assert.deepEqual(log.events, ["metrics-missing e0"]);
});

test("scraper: a dead endpoint does not hold the others up", async () => {
  await using engine = await HttpEndpoint.start(() => WAITING);
  const { samples, scraper } = scrape(storeOf(["127.0.0.1:1", engine.address]));
  await eventually(() => samples.length >= 3 && scraper.failureCount >= 3);
  await scraper.close();
  assert.ok(samples.every((sample) => sample.slot === 1));
});

test("scraper: an endpoint at rest is scraped less often, until it is given work", async () => {
  await using resting = await HttpEndpoint.start(() => WAITING);
  await using busy = await HttpEndpoint.start(() => WAITING);
  const store = storeOf([resting.address, busy.address]);
  store.column(inFlightRequests)[1] = 1;
  const { scraper } = scrape(store);
  await eventually(() => busy.paths.length >= 30);
  assert.ok(resting.paths.length < 15, `${resting.paths.length} against ${busy.paths.length}`);
  store.column(inFlightRequests)[0] = 1;
  const before = { resting: resting.paths.length, busy: busy.paths.length };
  await eventually(() => busy.paths.length >= before.busy + 30);
  await scraper.close();
  assert.ok(resting.paths.length - before.resting > 15);
});

test("scraper: an endpoint whose metrics change is not at rest", async () => {
  let waiting = 0;
  await using changing = await HttpEndpoint.start(() => ({
    status: 200,
    body: `vllm:num_requests_waiting ${waiting++}\n`,
  }));
  await using still = await HttpEndpoint.start(() => WAITING);
  const { scraper } = scrape(storeOf([changing.address, still.address]));
  await eventually(() => changing.paths.length >= 30);
  await scraper.close();
  assert.ok(still.paths.length < 15);
});

test("scraper: endpoints are followed as they come, move and go", async () => {
  await using one = await HttpEndpoint.start(() => WAITING);
  await using two = await HttpEndpoint.start(() => WAITING);
  const store = storeOf([]);
  const { samples, scraper } = scrape(store);
  const endpoint = { id: endpointId("late"), address: one.address, labels: {} };
  store.apply({ kind: "added", endpoint });
  await eventually(() => one.paths.length >= 2);
  store.apply({ kind: "added", endpoint: { ...endpoint, address: two.address } });
  await eventually(() => two.paths.length >= 2);
  store.apply({ kind: "removed", id: endpoint.id });
  const countAtRemoval = samples.length;
  store.apply({
    kind: "added",
    endpoint: { id: endpointId("next"), address: one.address, labels: {} },
  });
  const askedBefore = one.paths.length;
  await eventually(() => one.paths.length >= askedBefore + 2);
  await scraper.close();
  assert.ok(samples.length > countAtRemoval);
  const asked = one.paths.length + two.paths.length;
  await new Promise((resolve) => setTimeout(resolve, 60));
  assert.equal(one.paths.length + two.paths.length, asked, "nothing is asked after close");
});

interface Sampled {
  readonly slot: number;
  readonly sample: MetricSample;
  readonly nowMs: number;
}

function scrape(
  table: EndpointTable,
  options: {
    timeoutMs?: number;
    columns?: readonly NumericAttribute[];
    meter?: Meter;
  } = {},
): {
  readonly samples: Sampled[];
  readonly log: ReturnType<typeof keepingLog>;
  readonly scraper: Scraper;
} {
  const samples: Sampled[] = [];
  const log = keepingLog();
  let nowMs = 0;
  const scraper = startScraper({
    core: { metrics: (slot, sample, at) => samples.push({ slot, sample, nowMs: at }) },
    table,
    consumes: { columns: options.columns ?? [waitingQueueDepth], lora: false },
    intervalMs: 50,
    timeScale: 10,
    clients: new EndpointClients(options.timeoutMs ?? 5000),
    // Each look at the clock is later than the one before.
    clock: { nowMs: () => ++nowMs },
    log,
    meter: options.meter ?? noMeter,
  });
  return { samples, log, scraper };
}
