import assert from "node:assert/strict";
import test from "node:test";
import { benchFor } from "../../test/fixtures/plugin-bench.ts";
import { throwing } from "../../test/fixtures/plugin-of.ts";
import {
  type RecordingMeter,
  recordingLog,
  recordingMeter,
} from "../../test/fixtures/recording-ports.ts";
import { profileName } from "../core/brand.ts";
import type { ProfileOutcome } from "../plugin/cycle.ts";
import { type BoundPlugin, Instrument } from "../plugin/instrument.ts";
import type { PluginInstance } from "../plugin/plugin-instance.ts";
import { maxScorePicker } from "../plugins/picker/max-score.ts";
import { ProfileRun } from "./profile-run.ts";
import { ProfileRunner } from "./run-profile.ts";

interface Parts {
  readonly filters?: readonly PluginInstance["filter"][];
  readonly scorers?: readonly (readonly [PluginInstance["score"], number])[];
  readonly picker?: PluginInstance["pick"];
}

interface Ran {
  readonly outcome: ProfileOutcome;
  readonly run: ProfileRun;
  /** What the picker was given. */
  readonly totals: readonly number[];
  readonly meter: RecordingMeter;
}

/** Runs one profile of plain functions over `count` endpoints; each call may bring another profile. */
function runnerOver(count: number): (parts: Parts) => Ran {
  const meter = recordingMeter();
  const instrument = new Instrument({ meter, log: recordingLog(), stopwatch: undefined });
  const runner = new ProfileRunner(instrument);
  const bench = benchFor(maxScorePicker, Array(count).fill({}));
  const bound = (name: string, instance: PluginInstance): BoundPlugin => ({
    name,
    type: name,
    instance,
  });
  return ({ filters = [], scorers = [], picker }) => {
    const pick = picker ?? bench.instance.pick;
    let totals: readonly number[] = [];
    const watched: PluginInstance["pick"] = (cycle, candidates, given, order) => {
      totals = [...given.subarray(0, candidates.count)];
      return pick?.(cycle, candidates, given, order) ?? 1;
    };
    const run = new ProfileRun({
      name: profileName("default"),
      filters: filters.map((filter, index) =>
        bound(`filter-${index}`, filter === undefined ? {} : { filter }),
      ),
      scorers: scorers.map(([score, weight], index) => ({
        plugin: bound(`scorer-${index}`, score === undefined ? {} : { score }),
        weight,
      })),
      picker: bound("picker", { pick: watched }),
    });
    bench.next();
    const outcome = runner.run(run, bench.cycle, bench.candidates.slots, count);
    return { outcome, run, totals, meter };
  };
}

const scoring =
  (...values: number[]): PluginInstance["score"] =>
  (_cycle, candidates, scores) => {
    for (let i = 0; i < candidates.count; i++) {
      scores[i] = values[candidates.slots[i] as number] as number;
    }
  };
const dropping =
  (reason: string, ...slots: number[]): PluginInstance["filter"] =>
  (_cycle, candidates, reject) => {
    for (let i = 0; i < candidates.count; i++) {
      if (slots.includes(candidates.slots[i] as number)) reject(i, reason);
    }
  };

test("run-profile: filters run in order, each on what the last one left", () => {
  const seen: number[][] = [];
  const spying: PluginInstance["filter"] = (_cycle, candidates) => {
    seen.push([...candidates.slots.subarray(0, candidates.count)]);
  };
  const { outcome, run } = runnerOver(5)({
    filters: [dropping("first", 1, 3), spying, dropping("second", 0, 1), spying],
    scorers: [[scoring(0, 0, 0.2, 0, 0.4), 1]],
  });
  assert.deepEqual(seen, [
    [0, 2, 4],
    [2, 4],
  ]);
  assert.deepEqual(outcome, { kind: "picked", slots: [4, 2], advertised: 1 });
  assert.deepEqual([...run.rejectedBy.subarray(0, 5)], [2, 0, -1, 0, -1]);
  assert.deepEqual([run.reasons[0], run.reasons[1], run.reasons[3]], ["second", "first", "first"]);
});

test("run-profile: scores and totals stand under the candidates' original places", () => {
  const { run, totals } = runnerOver(3)({
    filters: [dropping("out", 0)],
    scorers: [
      [scoring(9, 0.5, 1), 2],
      [scoring(9, 0.25, 0), 1.5],
    ],
  });
  assert.deepEqual(totals, [1.375, 2]);
  assert.deepEqual(
    run.scores.map((column) => [...column.subarray(1, 3)]),
    [
      [0.5, 1],
      [0.25, 0],
    ],
  );
  assert.deepEqual([...run.order.subarray(0, run.survivorCount)], [2, 1]);
});

test("run-profile: nobody left is empty, and neither later filters nor scorers run", () => {
  const { outcome, meter } = runnerOver(2)({
    filters: [dropping("all", 0, 1), throwing],
    scorers: [[throwing, 1]],
    picker: throwing,
  });
  assert.deepEqual(outcome, { kind: "empty" });
  assert.deepEqual(meter.readings, []);
});

test("run-profile: nobody to start with is empty", () => {
  assert.deepEqual(runnerOver(0)({}).outcome, { kind: "empty" });
});

test("run-profile: a scorer that throws counts as 0 for all, even what it wrote, and is counted", () => {
  const half: PluginInstance["score"] = (_cycle, _candidates, scores) => {
    scores[0] = 1;
    throwing();
  };
  const { outcome, totals, meter } = runnerOver(2)({
    scorers: [
      [half, 10],
      [scoring(0.1, 0.2), 1],
    ],
  });
  assert.deepEqual(outcome, { kind: "picked", slots: [1, 0], advertised: 1 });
  assert.deepEqual(totals, [0.1, 0.2]);
  assert.equal(meter.total("plugin-failures"), 1);
});

test("run-profile: a scorer that writes nothing counts as 0", () => {
  const { totals } = runnerOver(2)({
    scorers: [
      [scoring(1, 1), 1],
      [() => undefined, 1],
    ],
  });
  assert.deepEqual(totals, [1, 1]);
});

const clamps: readonly [score: number, want: number][] = [
  [-0.5, 0],
  [0, 0],
  [0.25, 0.25],
  [1, 1],
  [1.5, 1],
  [Number.NaN, 0],
  [Number.POSITIVE_INFINITY, 1],
  [Number.NEGATIVE_INFINITY, 0],
];
for (const [score, want] of clamps) {
  test(`run-profile: a score of ${score} counts as ${want}`, () => {
    const { run, totals } = runnerOver(1)({ scorers: [[scoring(score), 2]] });
    assert.equal(totals[0], 2 * want);
    assert.equal(run.scores[0]?.[0], want);
  });
}

const faults: readonly [name: string, parts: Parts, plugin: string][] = [
  ["a filter that throws", { filters: [() => undefined, throwing] }, "filter-1"],
  [
    "a filter that rejects beyond the candidates",
    { filters: [(_cycle, _candidates, reject) => reject(3, "?")] },
    "filter-0",
  ],
  [
    "a filter that rejects before them",
    { filters: [(_cycle, _candidates, reject) => reject(-1, "?")] },
    "filter-0",
  ],
  ["a picker that throws", { picker: throwing }, "picker"],
  ["a picker that orders nobody", { picker: () => 1 }, "picker"],
  [
    "a picker that names one twice",
    { picker: (_c, _s, _t, order) => order.set([0, 1, 1]) ?? 1 },
    "picker",
  ],
  [
    "a picker that names a stranger",
    { picker: (_c, _s, _t, order) => order.set([0, 1, 3]) ?? 1 },
    "picker",
  ],
  [
    "a picker that names somebody before the first",
    { picker: (_c, _s, _t, order) => order.set([0, 1, -1]) ?? 1 },
    "picker",
  ],
];
for (const [name, parts, plugin] of faults) {
  test(`run-profile: ${name} fails the profile`, () => {
    assert.deepEqual(runnerOver(3)(parts).outcome, { kind: "failed", plugin });
  });

  test(`run-profile: ${name} fails it after a good run too`, () => {
    // Buffers are reused, so what an earlier picker wrote must not pass for an order.
    const run = runnerOver(3);
    assert.equal(run({}).outcome.kind, "picked");
    assert.deepEqual(run(parts).outcome, { kind: "failed", plugin });
  });
}

const advertised: readonly [number, number][] = [
  [2, 2],
  [99, 3],
  [0, 1],
  [-1, 1],
];
for (const [said, want] of advertised) {
  test(`run-profile: a picker that advertises ${said} of three advertises ${want}`, () => {
    const { outcome } = runnerOver(3)({
      picker: (_c, _s, _t, order) => {
        order.set([2, 0, 1]);
        return said;
      },
    });
    assert.deepEqual(outcome, { kind: "picked", slots: [2, 0, 1], advertised: want });
  });
}

test("run-profile: a picker sees the survivors' totals by their place among them", () => {
  let seen: number[] = [];
  runnerOver(3)({
    filters: [dropping("out", 1)],
    scorers: [[scoring(0.1, 0.2, 0.3), 1]],
    picker: (_cycle, candidates, totals, order) => {
      seen = [...totals.subarray(0, candidates.count)];
      order.set([0, 1]);
      return 1;
    },
  });
  assert.deepEqual(seen, [0.1, 0.3]);
});
