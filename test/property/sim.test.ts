import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import {
  LOAD_CONFIG,
  PREFIX_CONFIG,
  RANDOM_CONFIG,
  SPLIT_CONFIG,
} from "../../src/sim/fidelity/lab.ts";
import { simulate } from "../../src/sim/simulate.ts";
import { WORKLOADS } from "../../src/sim/workload/catalogue.ts";
import type { Arrival, Workload } from "../../src/sim/workload/workload.ts";
import { scenarioWith, simulated, workloadWith } from "../fixtures/simulated-pool.ts";

const KV_MATCH_CONFIG = PREFIX_CONFIG.replace(
  "- type: kv-cache-scorer\n",
  "- type: kv-cache-scorer\n  parameters:\n    mode: match\n",
).replaceAll(/- pluginRef: (?:prefix-cache|queue)-scorer\n {4}weight: \d\n {2}/g, "");

function workloadOf(arrivals: readonly Arrival[], concurrencyMax?: number): Workload {
  const stage = { name: "all", arrivals, ...(concurrencyMax !== undefined && { concurrencyMax }) };
  return { name: "test", stages: () => [stage] };
}

const arrivalsArb = fc
  .array(
    fc.record({
      gapUs: fc.nat(400_000),
      group: fc.nat(3),
      tokenCount: fc.integer({ min: 1, max: 3000 }),
      outputTokens: fc.integer({ min: 1, max: 300 }),
    }),
    { minLength: 1, maxLength: 40 },
  )
  .map((drawn): readonly Arrival[] => {
    let atUs = 0;
    return drawn.map(({ gapUs, group, tokenCount, outputTokens }, index) => {
      atUs += gapUs;
      const segments = [
        { id: group, tokenCount: 500 },
        { id: 100 + index, tokenCount },
      ];
      return { atUs, request: { segments, outputTokens } };
    });
  });

for (const [name, config, prefillReplicas] of [
  ["whole requests", PREFIX_CONFIG, 0],
  ["split requests", SPLIT_CONFIG, 2],
] as const) {
  test(`simulate: ${name} all end, in order, whatever the load; equal seeds give equal bytes`, async () => {
    await fc.assert(
      fc.asyncProperty(arrivalsArb, fc.nat(1000), async (arrivals, seed) => {
        const traits = {
          config,
          prefillReplicas,
          // A pool that a few requests fill, so that preemptions and waits take part.
          engine: { blockCount: 400, maxModelLen: 4000, isKvEventsEnabled: seed % 2 === 0 },
          settings: { seed },
        };
        const { report, ...service } = await simulated({
          ...traits,
          workload: workloadOf(arrivals),
        });
        const { requests, ttftMs, e2eMs, outputTokens } = service;
        assert.equal(requests.arrived, arrivals.length);
        assert.equal(requests.completed, arrivals.length);
        const wanted = arrivals.reduce((sum, { request }) => sum + request.outputTokens, 0);
        assert.equal(outputTokens, wanted);
        assert.ok(
          ttftMs !== null && e2eMs !== null && ttftMs.mean > 0 && e2eMs.mean >= ttftMs.mean,
        );
        const legs = service.endpoints.reduce((sum, endpoint) => sum + endpoint.legs, 0);
        assert.equal(legs, arrivals.length * (prefillReplicas > 0 ? 2 : 1));
        for (const { busyRatio, kvCacheUsagePeak } of service.endpoints) {
          assert.ok(busyRatio >= 0 && busyRatio <= 1 && kvCacheUsagePeak <= 1);
        }
        const again = await simulated({ ...traits, workload: workloadOf(arrivals) });
        assert.equal(JSON.stringify(again.report), JSON.stringify(report));
      }),
      { numRuns: 25 },
    );
  });
}

test("simulate: another seed is another run", async () => {
  const run = (seed: number) =>
    simulated({
      config: RANDOM_CONFIG,
      workload: workloadWith("fixed", { requests: 50 }),
      settings: { seed },
    });
  const [one, other] = [await run(1), await run(2)];
  assert.notDeepEqual(one.endpoints, other.endpoints);
});

for (const { name } of WORKLOADS) {
  test(`simulate: workload ${name} runs to its end`, async () => {
    const workload = workloadWith(name, { requests: 12 });
    const { requests } = await simulated({ config: PREFIX_CONFIG, workload });
    assert.ok(requests.arrived >= 12);
    assert.equal(requests.completed, requests.arrived);
  });
}

test("simulate: arrivals of a trace that is read line by line give the same report", async () => {
  const arrivals = Array.from({ length: 30 }, (_, index) => ({
    atUs: 50_000 * index,
    request: { segments: [{ id: index, tokenCount: 300 }], outputTokens: 20 },
  }));
  async function* lines(): AsyncGenerator<Arrival> {
    yield* arrivals;
  }
  const read = { name: "test", stages: () => [{ name: "all", arrivals: lines() }] };
  const one = await simulated({ config: LOAD_CONFIG, workload: workloadOf(arrivals) });
  const other = await simulated({ config: LOAD_CONFIG, workload: read });
  assert.deepEqual(other.report, one.report);
});

test("simulate: a closed loop keeps its concurrency and sends when an answer is there", async () => {
  const pace = { kind: "closed", ladder: [{ concurrency: 3 }] } as const;
  const workload = workloadWith("fixed", { requests: 30, pace });
  const { endpoints, requests, e2eMs, simulatedSeconds } = await simulated({
    config: LOAD_CONFIG,
    replicas: 1,
    workload,
  });
  assert.equal(requests.completed, 30);
  // Little's law: three under way at all times but the very end.
  const concurrency = (30 * (e2eMs?.mean ?? 0)) / 1000 / simulatedSeconds;
  assert.ok(concurrency > 2.7 && concurrency <= 3.001, `${concurrency}`);
  assert.ok((endpoints[0]?.queuePeak ?? 9) <= 3);
});

test("simulate: a closed loop with a duration sends nothing after it", async () => {
  const stage = {
    name: "all",
    concurrencyMax: 2,
    secondsMax: 5,
    arrivals: Array.from({ length: 1000 }, (_, id) => ({
      atUs: 0,
      request: { segments: [{ id, tokenCount: 100 }], outputTokens: 100 },
    })),
  };
  const workload = { name: "test", stages: () => [stage] };
  const { requests, simulatedSeconds, e2eMs } = await simulated({ config: LOAD_CONFIG, workload });
  assert.equal(requests.completed, requests.arrived);
  assert.ok(simulatedSeconds >= 5 && simulatedSeconds <= 5 + (e2eMs?.p99 ?? 0) / 1000);
});

for (const [name, config, prefillReplicas] of [
  ["whole", RANDOM_CONFIG, 0],
  ["split", SPLIT_CONFIG, 2],
] as const) {
  test(`simulate: looking at the engines of ${name} requests more often changes nothing`, async () => {
    const reports: unknown[] = [];
    for (const scrapeIntervalMs of [7, 60_000]) {
      // Equal prompts of whole blocks and one token: what is left to compute is a single token.
      const params = { groups: 3, promptsPerGroup: 1, questionTokens: 65, outputTokens: 300 };
      const workload = workloadWith("shared-prefix", { params, requests: 120, perSecond: 15 });
      const traits = { config, prefillReplicas, workload };
      const { endpoints, ...rest } = await simulated({ ...traits, settings: { scrapeIntervalMs } });
      assert.ok(endpoints.length > 0);
      reports.push({ ...rest, report: undefined });
    }
    assert.deepEqual(reports[0], reports[1]);
  });
}

test("simulate: stages begin when the one before is drained, on warm caches", async () => {
  const ladder = [{ perSecond: 4 }, { perSecond: 8 }];
  const workload = workloadWith("shared-prefix", {
    params: { groups: 5, outputTokens: 50 },
    requests: 60,
    pace: { kind: "open", arrivals: "poisson", ladder },
  });
  const { stages, simulatedSeconds, requests } = await simulated({
    config: PREFIX_CONFIG,
    workload,
  });
  assert.deepEqual(
    stages.map(({ stage, requests: { completed } }) => [stage, completed]),
    [
      ["rate 4", 60],
      ["rate 8", 60],
    ],
  );
  const sum = stages.reduce((total, stage) => total + stage.simulatedSeconds, 0);
  assert.ok(Math.abs(sum - simulatedSeconds) < 0.001);
  assert.equal(requests.completed, 120);
  assert.ok((stages[1]?.cacheHitRatio ?? 0) > (stages[0]?.cacheHitRatio ?? 1));
});

test("simulate: a prompt beyond the context is refused by the engine and counted", async () => {
  const request = (tokenCount: number) => ({ segments: [{ id: 1, tokenCount }], outputTokens: 5 });
  const arrivals = [
    { atUs: 0, request: request(5000) },
    { atUs: 1000, request: request(100) },
  ];
  for (const [config, prefillReplicas] of [
    [LOAD_CONFIG, 0],
    [SPLIT_CONFIG, 1],
  ] as const) {
    const engine = { maxModelLen: 4096 };
    const workload = workloadOf(arrivals);
    const { requests } = await simulated({ config, prefillReplicas, engine, workload });
    assert.deepEqual(requests, {
      arrived: 2,
      completed: 1,
      rejected: {},
      failed: { "engine-refused": 1 },
    });
  }
});

test("simulate: a pool where no endpoint has the role rejects with the router's reason", async () => {
  const workload = workloadWith("fixed", { requests: 5 });
  const { requests } = await simulated({ config: SPLIT_CONFIG, prefillReplicas: 0, workload });
  assert.equal(requests.completed + (requests.rejected["filtered-out"] ?? 0), 5);
});

test("simulate: blocks move once for each split request, and take as long as their bytes", async () => {
  const traits = { config: SPLIT_CONFIG, prefillReplicas: 1, replicas: 1 };
  const params = { promptTokens: 4000, outputTokens: 10 };
  const workload = workloadWith("fixed", { params, requests: 20, perSecond: 0.5 });
  const rdma = (await simulated({ ...traits, workload })).kvTransfer;
  const tcp = (await simulated({ ...traits, link: "tcp", workload })).kvTransfer;
  assert.equal(rdma.count, 20);
  // Llama-3.1-8B: 131,072 bytes a token.
  assert.equal(rdma.bytes, 20 * 4000 * 131_072);
  const alone = 1 + (4000 * 131_072) / (48.5e9 / 1000);
  assert.ok(Math.abs((rdma.ms?.p50 ?? 0) - alone) < 0.01, `${rdma.ms?.p50}`);
  // A second each: some wait for the one before.
  assert.ok((tcp.ms?.mean ?? 0) > 5 + (4000 * 131_072) / 0.55e6);
  // The pair's first transfer waits for the handshake.
  assert.ok((rdma.ms?.p99 ?? 0) > 50);
});

for (const [policy, completed, failed] of [
  ["fail", 0, { "kv-load-failed": 6 }],
  ["recompute", 6, {}],
] as const) {
  test(`simulate: without a transport, policy ${policy} decides`, async () => {
    const workload = workloadWith("fixed", { requests: 6 });
    const { requests, kvTransfer } = await simulated({
      config: SPLIT_CONFIG,
      prefillReplicas: 1,
      link: "none",
      engine: { kvLoadFailurePolicy: policy },
      workload,
    });
    assert.equal(requests.completed, completed);
    assert.deepEqual(requests.failed, failed);
    assert.deepEqual([kvTransfer.count, kvTransfer.failedCount], [0, 6]);
  });
}

test("simulate: KV events lead requests to the engine that holds their blocks", async () => {
  const params = { groups: 40, promptsPerGroup: 1, outputTokens: 20 };
  const workload = workloadWith("shared-prefix", { params, requests: 300, perSecond: 3 });
  const traits = { replicas: 4, workload };
  const blind = await simulated({ ...traits, config: RANDOM_CONFIG });
  const told = await simulated({
    ...traits,
    config: KV_MATCH_CONFIG,
    engine: { isKvEventsEnabled: true },
  });
  assert.ok(told.cacheHitRatio > 0.8, `${told.cacheHitRatio}`);
  assert.ok(told.cacheHitRatio > blind.cacheHitRatio + 0.15, `${blind.cacheHitRatio}`);
});

test("simulate: on shared prefixes prefix-aware beats load-only beats random", async () => {
  const ttft: number[] = [];
  for (const config of [RANDOM_CONFIG, LOAD_CONFIG, PREFIX_CONFIG]) {
    const params = { groups: 60, outputTokens: 100 };
    const workload = workloadWith("shared-prefix", { params, requests: 800, perSecond: 20 });
    const { ttftMs } = await simulated({ config, replicas: 4, workload });
    ttft.push(ttftMs?.mean ?? 0);
  }
  const [random = 0, load = 0, prefix = 0] = ttft;
  assert.ok(random > load && load > prefix, ttft.join(" > "));
});

test("simulate: requests wait longer behind queue lengths that are stale", async () => {
  const waits: number[] = [];
  for (const scrapeIntervalMs of [50, 10_000]) {
    const workload = workloadWith("heterogeneous", { requests: 600, perSecond: 12 });
    const settings = { scrapeIntervalMs, isCorrectingMetrics: false };
    const { ttftMs } = await simulated({ config: LOAD_CONFIG, replicas: 4, workload, settings });
    waits.push(ttftMs?.p95 ?? 0);
  }
  const [fresh = 0, stale = 0] = waits;
  assert.ok(stale > fresh, `${stale} > ${fresh}`);
});

test("simulate: goodput counts what meets both limits", async () => {
  const workload = workloadWith("fixed", { requests: 40 });
  const run = async (ttftMs: number, tpotMs: number) =>
    (await simulated({ config: LOAD_CONFIG, workload, settings: { slo: { ttftMs, tpotMs } } }))
      .goodput;
  assert.equal((await run(1e6, 1e6))?.count, 40);
  assert.equal((await run(1, 1e6))?.count, 0);
  assert.equal((await run(1e6, 0.01))?.ratio, 0);
});

test("simulate: a checkpoint can stop it, and the report says so", async () => {
  const workload = workloadWith("fixed", {
    params: { outputTokens: 10 },
    requests: 5000,
    perSecond: 50,
  });
  const report = await simulate(
    scenarioWith({ config: LOAD_CONFIG, workload }),
    async () => "stop",
  );
  assert.equal(report.isComplete, false);
  const [service] = report.services;
  assert.ok((service?.requests.arrived ?? 5000) < 5000);
  assert.ok((service?.requests.completed ?? 0) > 0);
});
