import assert from "node:assert/strict";
import test from "node:test";
import { benchFor } from "../../test/fixtures/plugin-bench.ts";
import { throwing } from "../../test/fixtures/plugin-of.ts";
import { recordingLog, recordingMeter } from "../../test/fixtures/recording-ports.ts";
import { profileName } from "../core/brand.ts";
import { InvariantError } from "../core/invariant.ts";
import { Instrument } from "../plugin/instrument.ts";
import type { ProfileHandler } from "../plugin/plugin-instance.ts";
import { randomPicker } from "../plugins/picker/random.ts";
import { ProfileRunner } from "./run-profile.ts";
import { Scheduler } from "./schedule.ts";

const [A, B] = [profileName("a"), profileName("b")];

/** Schedules two endpoints through the profiles `a` and `b` with a handler of the test's own. */
function scheduling(handler: ProfileHandler) {
  const meter = recordingMeter();
  const instrument = new Instrument({ meter, log: recordingLog(), stopwatch: undefined });
  const bench = benchFor(randomPicker, [{}, {}], { profiles: ["a", "b"] });
  const picker = { name: "picker", type: "random-picker", instance: bench.instance };
  const scheduler = new Scheduler({
    handler: { name: "mine", type: "mine", instance: { handler } },
    profiles: [A, B].map((name) => ({ name, filters: [], scorers: [], picker })),
    runner: new ProfileRunner(instrument),
    instrument,
  });
  return {
    meter,
    bench,
    schedule: () => scheduler.schedule(bench.cycle, bench.candidates.slots, 2),
  };
}

const result: ProfileHandler["result"] = () => ({
  kind: "scheduled",
  primary: B,
  prefill: undefined,
});

test("schedule: runs what the handler asks for, in its order, until it asks for none", () => {
  const names: string[] = [];
  const asked = [[B], [A], []];
  const { schedule } = scheduling({
    pick: (cycle) => {
      names.push([A, B].filter((name) => cycle.outcome(name) !== undefined).join());
      return asked.shift() ?? [];
    },
    result,
  });
  const { runs, result: made } = schedule();
  assert.deepEqual(
    runs.map((run) => run.profile.name),
    [B, A],
  );
  assert.deepEqual(names, ["", "b", "a,b"]);
  assert.equal(made.kind, "scheduled");
});

test("schedule: a cycle names the profile that runs", () => {
  const { schedule, bench } = scheduling({
    pick: (cycle) => [A, B].filter((name) => cycle.outcome(name) === undefined).slice(0, 1),
    result,
  });
  schedule();
  assert.equal(bench.cycle.profile, B);
});

const handlers: readonly [name: string, handler: ProfileHandler][] = [
  ["throws while picking", { pick: throwing, result }],
  ["throws at its result", { pick: () => [], result: throwing }],
  ["asks for a profile twice", { pick: () => [A], result }],
  ["asks for one that is not there", { pick: () => [profileName("c")], result }],
];
for (const [name, handler] of handlers) {
  test(`schedule: a handler that ${name} fails the request and is counted`, () => {
    const { schedule, meter } = scheduling(handler);
    assert.deepEqual(schedule().result, {
      kind: "rejected",
      rejection: { reason: "plugin-failed", message: "plugin mine failed" },
    });
    assert.equal(meter.total("plugin-failures"), 1);
  });
}

test("schedule: outcomes of an earlier request do not show", () => {
  const seen: boolean[] = [];
  const { schedule } = scheduling({
    pick: (cycle) => {
      const isFirst = cycle.outcome(A) === undefined;
      seen.push(isFirst);
      return isFirst ? [A] : [];
    },
    result,
  });
  schedule();
  schedule();
  assert.deepEqual(seen, [true, false, true, false]);
});

test("schedule: a plugin without handler role is no handler", () => {
  const instrument = new Instrument({
    meter: recordingMeter(),
    log: recordingLog(),
    stopwatch: undefined,
  });
  const handler = { name: "none", type: "none", instance: {} };
  const runner = new ProfileRunner(instrument);
  assert.throws(() => new Scheduler({ handler, profiles: [], runner, instrument }), InvariantError);
});
