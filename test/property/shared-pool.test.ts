import assert from "node:assert/strict";
import { once } from "node:events";
import test from "node:test";
import { inFlightRequests, inFlightTokens } from "../../src/endpoints/numeric-attribute.ts";
import {
  type OwnedPool,
  ownedPool,
  type PoolRun,
  type PoolRunResult,
  runPool,
} from "../fixtures/shared-pool-run.ts";

const RUN: PoolRun = { threads: 4, decisions: 8000, open: 64, endpoints: 8 };

/** Share of the prompts that was matched, and the largest and smallest share of the endpoints. */
function summaryOf(results: readonly PoolRunResult[]) {
  const endpoints = results.flatMap((result) => result.endpoints);
  const counts = new Map<string, number>();
  for (const id of endpoints) counts.set(id, (counts.get(id) ?? 0) + 1);
  const shares = [...counts.values()].map((count) => count / endpoints.length);
  const hits = results.reduce((sum, result) => sum + result.hits, 0) / endpoints.length;
  return { hits, most: Math.max(...shares), least: Math.min(...shares), used: counts.size };
}

/** Requests and tokens in flight over all endpoints. */
function inFlight({ core }: Pick<OwnedPool, "core">): readonly number[] {
  return [inFlightRequests, inFlightTokens].map((attribute) => {
    const column = core.endpoints.column(attribute);
    return column.slice(0, core.endpoints.slotCount).reduce((sum, count) => sum + count, 0);
  });
}

test("shared-pool: four threads hit and spread as one does, and four that know nothing of each other do not", async (t) => {
  const four = await runPool(RUN);
  const one = await runPool({ ...RUN, threads: 1 });
  const strangers = await Promise.all(
    [1, 2, 3, 4].map(() =>
      runPool({ ...RUN, threads: 1, decisions: RUN.decisions / 4, open: RUN.open / 4 }),
    ),
  );
  const together = summaryOf(four.results);
  const alone = summaryOf(one.results);
  const apart = summaryOf(strangers.flatMap(({ results }) => results));
  t.diagnostic(JSON.stringify({ together, alone, apart }));
  assert.equal(together.used, RUN.endpoints);
  assert.ok(Math.abs(together.hits - alone.hits) < 0.03);
  assert.ok(apart.hits < together.hits - 0.03);
  assert.ok(together.most - together.least < alone.most - alone.least + 0.04);
  const numbers = four.results.flatMap((result) => result.numbers);
  assert.equal(new Set(numbers).size, RUN.decisions);
  assert.deepEqual(inFlight(four), [0, 0]);
  assert.equal(four.core.inFlightCount, 0);
});

test("shared-pool: what a dead thread left in flight is given back, and its follower's numbers go on", async () => {
  const pool = ownedPool(2, 3);
  const run = { threads: 2, decisions: 200, open: 20, endpoints: 3 };
  const first = pool.start(1, run, true);
  const [result] = (await once(first, "message")) as [PoolRunResult];
  assert.deepEqual(inFlight(pool)[0], 10);
  assert.equal(pool.core.inFlightCount, 10);
  await first.terminate();
  pool.core.pool.threadEnded(1);
  assert.deepEqual(inFlight(pool), [0, 0]);
  assert.equal(pool.core.inFlightCount, 0);
  const second = pool.start(1, run);
  const [next] = (await once(second, "message")) as [PoolRunResult];
  await second.terminate();
  assert.deepEqual(
    result.numbers.filter((number) => next.numbers.includes(number)),
    [],
  );
});
