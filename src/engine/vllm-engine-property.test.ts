import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { requestId } from "../core/brand.ts";
import { configWith, drain, handle, Recorder, requestWith } from "./engine-fixture.test.ts";
import { createEngine } from "./vllm-engine.ts";

/** Something that a driver does at a time. */
type Act =
  | {
      readonly kind: "submit";
      readonly prompt: number;
      readonly output: number;
      readonly stem: number;
      readonly kv: "none" | "hold" | "load";
    }
  | { readonly kind: "abort"; readonly target: number }
  | { readonly kind: "transfer"; readonly target: number; readonly isGood: boolean }
  | { readonly kind: "release"; readonly target: number };

const submission = fc.record({
  kind: fc.constant("submit" as const),
  prompt: fc.integer({ min: 1, max: 320 }),
  output: fc.integer({ min: 1, max: 160 }),
  stem: fc.nat(2),
  kv: fc.constantFrom("none", "none", "hold", "load"),
});
const target = fc.nat(9);
const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 5, arbitrary: submission as fc.Arbitrary<Act> },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("abort" as const), target }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("transfer" as const),
      target,
      isGood: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("release" as const), target }) },
);
const script = fc.array(
  fc.record({
    act,
    gapUs: fc.oneof(fc.constant(0), fc.nat(30_000), fc.nat(600_000)),
    looks: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 }),
  }),
  { minLength: 1, maxLength: 14 },
);
const setting = fc.record({
  blockCount: fc.integer({ min: 32, max: 60 }),
  maxNumBatchedTokens: fc.constantFrom(64, 512, 2048),
  isKvEventsEnabled: fc.boolean(),
  isPrefixCachingEnabled: fc.boolean(),
  kvLoadFailurePolicy: fc.constantFrom("fail" as const, "recompute" as const),
});

type Script = typeof script extends fc.Arbitrary<infer T> ? T : never;
type Setting = typeof setting extends fc.Arbitrary<infer T> ? T : never;

/** Plays a script; with `isLooking` time also stops at the looks between the acts. */
function play(settings: Setting, acts: Script, isLooking: boolean): Recorder {
  const engine = createEngine(
    configWith({ ...settings, maxNumSeqs: 8, maxModelLen: 490, kvHoldUs: 150_000 }),
  );
  const recorder = new Recorder();
  let nowUs = 0;
  for (const [index, { act, gapUs, looks }] of acts.entries()) {
    const nextUs = nowUs + gapUs;
    if (isLooking) {
      const stops = looks.map((share) => Math.floor(nowUs + share * gapUs));
      for (const stop of stops.sort((a, b) => a - b)) engine.advance(stop, recorder);
    }
    engine.advance(nextUs, recorder);
    nowUs = nextUs;
    assert.ok(engine.gauges.kvCacheUsage >= 0 && engine.gauges.kvCacheUsage <= 1);
    perform(engine, act, index, nowUs);
  }
  // Transfers that nobody settled fail, and what that lets in may want one too.
  for (let round = 0; round < acts.length; round++) {
    nowUs = drain(engine, recorder, nowUs);
    for (let index = 0; index < acts.length; index++) engine.kvFailed(handle(`${index}`), nowUs);
  }
  drain(engine, recorder, nowUs);
  assert.equal(engine.gauges.kvCacheUsage, 0);
  assert.equal(engine.gauges.runningRequests + engine.gauges.waitingRequests, 0);
  return recorder;
}

function perform(
  engine: ReturnType<typeof createEngine>,
  act: Act,
  index: number,
  nowUs: number,
): void {
  switch (act.kind) {
    case "submit": {
      const kv =
        act.kv === "hold"
          ? ({ kind: "hold", handle: handle(`${index}`) } as const)
          : act.kv === "load"
            ? ({ kind: "load", handle: handle(`${index}`), tokenCount: act.prompt } as const)
            : undefined;
      engine.submit(requestWith(`${index}`, act.prompt, act.output, { stem: act.stem, kv }), nowUs);
      return;
    }
    case "abort":
      engine.abort(requestId(`${act.target}`), nowUs);
      return;
    case "transfer":
      if (act.isGood) engine.kvArrived(handle(`${act.target}`), nowUs);
      else engine.kvFailed(handle(`${act.target}`), nowUs);
      return;
    case "release":
      engine.kvReleased(handle(`${act.target}`), nowUs);
      return;
  }
}

test("engine: one advance equals many partial ones, event for event", () => {
  fc.assert(
    fc.property(setting, script, (settings, acts) => {
      const jumped = play(settings, acts, false);
      const looked = play(settings, acts, true);
      assert.deepEqual(looked.finishes, jumped.finishes);
      assert.deepEqual(looked.kv, jumped.kv);
      assert.deepEqual(looked.wanted, jumped.wanted);
      assert.deepEqual(
        [...looked.tokenTimes].sort(([a], [b]) => (a < b ? -1 : 1)),
        [...jumped.tokenTimes].sort(([a], [b]) => (a < b ? -1 : 1)),
      );
    }),
    { numRuns: 300 },
  );
});

test("engine: jumping over steps that take blocks equals planning each of them", () => {
  fc.assert(
    fc.property(setting, script, (settings, acts) => {
      // Whoever listens to block events makes every step that changes blocks a run of its own.
      const jumped = play({ ...settings, isKvEventsEnabled: false }, acts, false);
      const planned = play({ ...settings, isKvEventsEnabled: true }, acts, false);
      assert.equal(jumped.finishes.length, planned.finishes.length);
      for (const finish of planned.finishes) {
        const { atUs, queuedUs, ...rest } = finish;
        const other = jumped.finish(finish.id);
        assert.deepEqual({ ...other, atUs, queuedUs }, { ...rest, atUs, queuedUs });
        // A run that starts later rounds differently in the last bits of its times.
        assert.ok(Math.abs(other.atUs - atUs) <= 1 && Math.abs(other.queuedUs - queuedUs) <= 1);
      }
    }),
    { numRuns: 300 },
  );
});

test("engine: every request ends exactly once, with its tokens in order of time", () => {
  fc.assert(
    fc.property(setting, script, (settings, acts) => {
      const recorder = play(settings, acts, false);
      for (const [index, { act }] of acts.entries()) {
        if (act.kind !== "submit") continue;
        const finish = recorder.finish(`${index}`);
        const times = recorder.tokenTimes.get(`${index}`) ?? [];
        assert.equal(times.length, finish.generatedTokens);
        if (finish.end === "done") assert.equal(finish.generatedTokens, act.output);
        assert.ok(finish.cachedTokens + finish.loadedTokens <= act.prompt);
        assert.ok(finish.queuedUs >= 0);
        for (let k = 1; k < times.length; k++) {
          assert.ok((times[k] as number) > (times[k - 1] as number));
        }
        if (times.length > 0) assert.ok((times.at(-1) as number) <= finish.atUs);
      }
      const ends = recorder.finishes.map((finish) => finish.atUs);
      assert.deepEqual(
        ends,
        [...ends].sort((a, b) => a - b),
      );
    }),
    { numRuns: 200 },
  );
});

const crowds = [
  { name: "one as large as the pool", tokens: [[620, 21]] },
  { name: "one a block smaller than the pool", tokens: [[600, 25]] },
  {
    name: "two of 60 % of the pool",
    tokens: [
      [380, 5],
      [380, 5],
    ],
  },
  {
    name: "two that grow to 60 % of the pool",
    tokens: [
      [16, 369],
      [16, 369],
    ],
  },
  { name: "thirty that grow", tokens: Array.from({ length: 30 }, () => [100, 300]) },
];
for (const { name, tokens } of crowds) {
  test(`engine: no livelock with ${name}`, () => {
    const engine = createEngine({ ...configWith(), blockCount: 41, maxNumBatchedTokens: 128 });
    const recorder = new Recorder();
    for (const [i, [prompt = 0, output = 0]] of tokens.entries()) {
      engine.submit(requestWith(`${i}`, prompt, output), 0);
    }
    drain(engine, recorder);
    for (const [i, [, output]] of tokens.entries()) {
      assert.equal(recorder.finish(`${i}`).generatedTokens, output);
    }
  });
}
