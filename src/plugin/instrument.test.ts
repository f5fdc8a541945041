import assert from "node:assert/strict";
import test from "node:test";
import { fixedClock } from "../../test/fixtures/fixed-clock.ts";
import { throwing } from "../../test/fixtures/plugin-of.ts";
import { recordingLog, recordingMeter } from "../../test/fixtures/recording-ports.ts";
import type { Clock } from "../core/clock.ts";
import { Instrument } from "./instrument.ts";

const plugin = { name: "mine", type: "queue-scorer", instance: {} };
const labels = { extension_point: "score", plugin_type: "queue-scorer", plugin_name: "mine" };

function instrumented(stopwatch?: Clock) {
  const meter = recordingMeter();
  const log = recordingLog();
  return { meter, log, instrument: new Instrument({ meter, log, stopwatch }) };
}

test("instrument: hands on what the plugin gave", () => {
  const { instrument, meter } = instrumented();
  assert.deepEqual(
    instrument.call(plugin, "score", () => 7),
    { ok: true, value: 7 },
  );
  assert.deepEqual(meter.readings, []);
});

test("instrument: a throw is counted under the plugin's name and logged", () => {
  const { instrument, meter, log } = instrumented();
  assert.deepEqual(instrument.call(plugin, "score", throwing), { ok: false });
  assert.deepEqual(meter.readings, [{ name: "plugin-failures", labels, value: 1 }]);
  assert.deepEqual(log.lines, [
    {
      level: "error",
      event: "plugin-failed",
      fields: { plugin: "mine", point: "score", failures: 1, error: "planted fault" },
    },
  ]);
});

test("instrument: something thrown that is no error is logged as text", () => {
  const { instrument, log } = instrumented();
  instrument.call(plugin, "score", () => {
    throw "text";
  });
  assert.equal(log.lines[0]?.fields?.["error"], "text");
});

test("instrument: of many failures one line in a hundred is logged, and all are counted", () => {
  const { instrument, meter, log } = instrumented();
  for (let i = 0; i < 250; i++) instrument.call(plugin, "score", throwing);
  assert.equal(meter.total("plugin-failures"), 250);
  assert.deepEqual(
    log.lines.map((line) => line.fields?.["failures"]),
    [1, 101, 201],
  );
});

test("instrument: one call in 61 is timed", () => {
  const { instrument, meter } = instrumented(fixedClock(0, 3));
  for (let i = 0; i < 123; i++) instrument.call(plugin, "score", () => undefined);
  assert.deepEqual(
    meter.readings,
    Array.from({ length: 3 }, () => ({ name: "plugin-ms", labels, value: 3 })),
  );
});

test("instrument: each of eight plugins that are called in turn is timed", () => {
  const { instrument, meter } = instrumented(fixedClock(0, 3));
  const types = Array.from({ length: 8 }, (_, i) => `scorer-${i}`);
  for (let round = 0; round < 61; round++) {
    for (const type of types) instrument.call({ ...plugin, type }, "score", () => undefined);
  }
  assert.deepEqual(meter.readings.map((reading) => reading.labels?.["plugin_type"]).sort(), types);
});
