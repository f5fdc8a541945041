import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import { requestId } from "../core/brand.ts";
import { fillEngineConfig } from "../engine/engine-config.ts";
import type { EngineFinish, EngineRequest, KvHandle } from "../engine/engine-core.ts";
import { findGpu } from "../engine/gpus.ts";
import { findModel } from "../engine/models.ts";
import { createEngine } from "../engine/vllm-engine.ts";
import { SteppedClock } from "./engine-fixture.test.ts";
import { RealTimeDriver } from "./real-time-driver.ts";

interface Driven {
  readonly clock: SteppedClock;
  readonly driver: RealTimeDriver;
  readonly wanted: { readonly handle: KvHandle; readonly atUs: number }[];
  submit(request: EngineRequest, isStreaming: boolean): Told;
}

interface Told {
  readonly timesUs: number[];
  readonly finishes: EngineFinish[];
}

function drive(): Driven {
  const model = findModel("Qwen3-0.6B");
  const gpu = findGpu("H100");
  if (model === undefined || gpu === undefined) throw new Error("the tables lack the test's model");
  const clock = new SteppedClock();
  const wanted: Driven["wanted"] = [];
  const driver = new RealTimeDriver(createEngine(fillEngineConfig({ model, gpu })), {
    clock,
    timeScale: 1,
    events: {
      kvWanted: (_id, handle, _tokenCount, atUs) => wanted.push({ handle, atUs }),
      kvEvents: () => undefined,
    },
  });
  const submit: Driven["submit"] = (request, isStreaming) => {
    const told: Told = { timesUs: [], finishes: [] };
    driver.submit(request, {
      isStreaming,
      tokens: (count, timeUs) => {
        for (let k = 0; k < count; k++) told.timesUs.push(timeUs(k));
      },
      finished: (finish) => told.finishes.push(finish),
    });
    return told;
  };
  return { clock, driver, wanted, submit };
}

function driveFor(t: TestContext): Driven {
  const driven = drive();
  t.after(() => driven.driver.stop());
  return driven;
}

function requestFor(id: string, outputTokens: number): EngineRequest {
  const prompt = { tokenCount: 20, blockKeys: new Float64Array([id.length]) };
  return { id: requestId(id), prompt, outputTokens };
}

test("driver: token times do not depend on when the timer fires", () => {
  const run = (stepsMs: readonly number[]): Told => {
    const { clock, driver, submit } = drive();
    const told = submit(requestFor("a", 40), true);
    for (const ms of stepsMs) {
      clock.advance(ms);
      driver.gauges();
    }
    clock.advance(10_000);
    driver.gauges();
    driver.stop();
    return told;
  };
  const whole = run([]);
  assert.equal(whole.timesUs.length, 40);
  assert.equal(whole.finishes.length, 1);
  const steps = fc.array(fc.double({ min: 0, max: 5, noNaN: true }), { maxLength: 30 });
  fc.assert(fc.property(steps, (stepsMs) => assert.deepEqual(run(stepsMs), whole)));
});

test("driver: the timer brings tokens without being asked", async (t) => {
  const { clock, submit } = driveFor(t);
  const ended = Promise.withResolvers<void>();
  const told = submit(requestFor("a", 3), true);
  const polling = setInterval(() => {
    clock.advance(1);
    if (told.finishes.length > 0) ended.resolve();
  }, 1);
  await ended.promise;
  clearInterval(polling);
  assert.equal(told.timesUs.length, 3);
});

test("driver: blocks arrive at their own time, however late the timer is", (t) => {
  const { clock, driver, wanted, submit } = driveFor(t);
  const handle = "h" as KvHandle;
  const told = submit(
    { ...requestFor("a", 1), kv: { kind: "load", handle, tokenCount: 20 } },
    false,
  );
  clock.advance(1);
  driver.gauges();
  assert.deepEqual(wanted, [{ handle, atUs: 0 }]);
  let doneCount = 0;
  driver.kvArrivesAt(handle, 30_000, () => {
    doneCount += 1;
  });
  assert.equal(driver.gauges().waitingRequests, 1);
  clock.advance(100_000);
  driver.gauges();
  assert.equal(doneCount, 1);
  const [tokenUs = 0] = told.timesUs;
  assert.ok(tokenUs > 30_000 && tokenUs < 130_000, `token at ${tokenUs} us`);
});

test("driver: a listener may abort others from its end", (t) => {
  const { clock, driver, submit } = driveFor(t);
  const other = submit(requestFor("other", 5000), true);
  const ends: string[] = [];
  driver.submit(requestFor("first", 2), {
    isStreaming: false,
    tokens: () => undefined,
    finished: (finish) => {
      ends.push(finish.end);
      driver.abort(requestId("other"));
      driver.abort(requestId("first"));
    },
  });
  clock.advance(100);
  driver.gauges();
  clock.advance(100);
  driver.gauges();
  assert.deepEqual(ends, ["done"]);
  assert.deepEqual(
    other.finishes.map((finish) => finish.end),
    ["aborted"],
  );
  assert.equal(driver.sequenceCount, 0);
});

test("driver: nobody is called after stop", (t) => {
  const { clock, driver, submit } = driveFor(t);
  const told = submit(requestFor("a", 3), true);
  driver.stop();
  clock.advance(10_000);
  driver.gauges();
  assert.deepEqual(told, { timesUs: [], finishes: [] });
});
