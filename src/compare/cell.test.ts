import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServiceReport } from "../sim/report.ts";
import { type Variation, varyArm } from "./arm.ts";
import { type Cell, runCell } from "./cell.ts";
import { benchOf, examplePair } from "./comparison-fixture.test.ts";

const BENCH = benchOf(examplePair());

interface Load {
  readonly promptTokens: number;
  readonly perSecond: number;
  readonly requests?: number;
}

async function reportOf(
  side: Cell["side"],
  { promptTokens, perSecond, requests = 200 }: Load,
  variation: Variation = {},
  seed = 1,
): Promise<ServiceReport> {
  const cell: Cell = {
    key: "cell",
    side,
    terms: "equal",
    variation,
    traffic: {
      kind: "planned",
      workload: "fixed",
      params: { promptTokens, outputTokens: 100 },
      pace: { kind: "open", arrivals: "poisson", ladder: [{ perSecond }] },
      requests,
    },
    seed,
  };
  const result = await runCell(cell, BENCH);
  assert.ok(result !== undefined);
  return result.report;
}

test("cell: equal seeds give the same bytes, other seeds others", async () => {
  const load = { promptTokens: 2000, perSecond: 20 };
  const [one, again, other] = await Promise.all([
    reportOf("right", load),
    reportOf("right", load),
    reportOf("right", load, {}, 2),
  ]);
  assert.equal(JSON.stringify(one), JSON.stringify(again));
  assert.notEqual(JSON.stringify(one), JSON.stringify(other));
});

test("cell: both sides get the same requests", async () => {
  const load = { promptTokens: 2000, perSecond: 20 };
  const [left, right] = await Promise.all([reportOf("left", load), reportOf("right", load)]);
  assert.equal(left.promptTokens, right.promptTokens);
  assert.equal(left.outputTokens, right.outputTokens);
  assert.equal(left.requests.arrived, 200);
});

test("cell: the split evens out tokens under load and delays the first one of short prompts", async () => {
  const busy = { promptTokens: 8000, perSecond: 16 };
  const short = { promptTokens: 500, perSecond: 5 };
  const [pool, split] = [await reportOf("left", busy), await reportOf("right", busy)];
  assert.ok((split.tpotMs?.p95 ?? Infinity) < (pool.tpotMs?.p95 ?? 0));
  const [poolShort, splitShort] = [await reportOf("left", short), await reportOf("right", short)];
  assert.ok((splitShort.ttftMs?.p50 ?? 0) > (poolShort.ttftMs?.p50 ?? Infinity));
  assert.equal(poolShort.kvTransfer.count, 0);
  assert.equal(splitShort.kvTransfer.count, 200);
});

test("cell: the slower the link, the longer the transfer of the same bytes", async () => {
  const load = { promptTokens: 4000, perSecond: 1, requests: 20 };
  const links = ["rdma-400", "rdma-200", "rdma-100", "tcp"] as const;
  const reports = await Promise.all(links.map((link) => reportOf("right", load, { link })));
  const waits = reports.map(({ kvTransfer }) => kvTransfer.ms?.p50 ?? 0);
  assert.deepEqual(
    waits,
    waits.toSorted((one, other) => one - other),
  );
  assert.equal(new Set(waits).size, links.length);
  assert.equal(new Set(reports.map(({ kvTransfer }) => kvTransfer.bytes)).size, 1);
});

test("cell: a threshold above every prompt splits none, one below splits all", async () => {
  const load = { promptTokens: 1000, perSecond: 10, requests: 50 };
  const [none, all] = await Promise.all([
    reportOf("right", load, { thresholdBytes: 4001 }),
    reportOf("right", load, { thresholdBytes: 4000 }),
  ]);
  assert.equal(none.kvTransfer.count, 0);
  assert.equal(all.kvTransfer.count, 50);
});

test("cell: other numbers of engines are what was asked for", async () => {
  const replicas = { main: 1, prefill: 3 };
  const { endpoints } = await reportOf("right", { promptTokens: 500, perSecond: 5 }, { replicas });
  const roles = endpoints.map(({ role }) => role);
  assert.deepEqual(roles, ["decode", "prefill", "prefill", "prefill"]);
  assert.equal(new Set(endpoints.map(({ endpoint }) => endpoint)).size, 4);
});

test("arm: a shared choice keeps handler and filters and takes scorers and picker", () => {
  const { left, right } = BENCH.arms.equal;
  const { config } = varyArm(right, { isChoiceShared: true }, left).service;
  assert.deepEqual(
    config.profiles.map(({ name, plugins }) => [
      name,
      ...plugins.map(({ pluginRef }) => pluginRef),
    ]),
    ["prefill", "decode"].map((name) => [
      name,
      `${name}-filter`,
      "prefix-cache-scorer",
      "queue-scorer",
      "kv-cache-scorer",
      "max-score-picker",
    ]),
  );
});
