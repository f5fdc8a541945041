import assert from "node:assert/strict";
import test from "node:test";
import { SINGLE } from "../../../test/fixtures/picker-configs.ts";
import { completed } from "../../../test/fixtures/pool-core.ts";
import { RecordedRun } from "../../../test/fixtures/recorded-run.ts";
import { requestWith } from "../../../test/fixtures/request-with.ts";
import type { Outcome } from "../../core/exchange-report.ts";
import type { Arrival } from "../workload/workload.ts";
import { recordingTrace } from "./recording-trace.ts";

async function arrivalsOf(lines: readonly string[], service = "pool"): Promise<readonly Arrival[]> {
  const workload = recordingTrace({ file: "run.jsonl", lines, isSorted: false }, service);
  const arrivals: Arrival[] = [];
  for (const stage of workload.stages()) {
    for await (const arrival of stage.arrivals) arrivals.push(arrival);
  }
  return arrivals;
}

function outcome(completionTokens: number | null, chunkCount: number): Outcome {
  const usage = { promptTokens: null, completionTokens, cachedTokens: null };
  return { ...completed, usage, chunkCount };
}

test("recording-trace: arrivals keep their order whichever ends first, with the answers' lengths", async () => {
  const run = new RecordedRun(SINGLE);
  run.addReady({ id: "e0" });
  const [counted, chunked, unknown] = ["a", "b", "c"].map((id) =>
    run.send(requestWith({ id, prompt: `${id} `.repeat(100) })),
  );
  assert.ok(counted !== undefined && chunked !== undefined && unknown !== undefined);
  run.recording.end(chunked.decision, "client-left", outcome(null, 5), 10);
  run.recording.end(counted.decision, "completed", outcome(40, 5), 20);
  const arrivals = await arrivalsOf(run.lines());
  assert.deepEqual(
    arrivals.map(({ atUs, request }) => [atUs, request.outputTokens]),
    [
      [0, 40],
      [1000, 5],
      [2000, 1],
    ],
  );
});

test("recording-trace: prompts share the segments that they shared as text, and no others", async () => {
  const run = new RecordedRun(SINGLE);
  run.addReady({ id: "e0" });
  const shared = "system ".repeat(64);
  for (const tail of ["one", "two"]) run.serve(requestWith({ prompt: shared + tail.repeat(40) }));
  const [one = [], two = []] = (await arrivalsOf(run.lines())).map(({ request }) =>
    request.segments.map(({ id, tokenCount }) => `${id} ${tokenCount}`),
  );
  assert.equal(one.length, Math.ceil((shared.length + 120) / 64));
  const sharedBlocks = Math.floor(shared.length / 64);
  assert.deepEqual(one.slice(0, sharedBlocks), two.slice(0, sharedBlocks));
  assert.equal(
    one.slice(sharedBlocks).some((segment) => two.includes(segment)),
    false,
  );
});

test("recording-trace: of several pools the service's is taken, and one that is not there is told", async () => {
  const run = new RecordedRun(SINGLE);
  run.addReady({ id: "e0" });
  run.serve(requestWith({}));
  const [header = "", ...rest] = run.lines();
  const two = header.replace(/"pools":\[(.*)\]\}$/, (_, pool: string) => {
    return `"pools":[${pool},${pool.replace('"pool":"pool"', '"pool":"lake"')}]}`;
  });
  assert.equal((await arrivalsOf([two, ...rest], "pool")).length, 1);
  assert.equal((await arrivalsOf([two, ...rest], "lake")).length, 0);
  assert.equal((await arrivalsOf([header, ...rest], "anything")).length, 1);
  await assert.rejects(arrivalsOf([two, ...rest], "sea"), /none is named sea/);
});
