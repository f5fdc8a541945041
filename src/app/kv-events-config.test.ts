import assert from "node:assert/strict";
import { test } from "node:test";
import { readKvEventsConfig } from "./kv-events-config.ts";

const SHAPE = { encoding: "map", isHashInt: true } as const;
const DEFAULTS = {
  ...SHAPE,
  endpoint: "tcp://*:5557",
  replayEndpoint: undefined,
  bufferSteps: 10_000,
  hwm: 100_000,
  topic: "",
};

for (const { json, want } of [
  { json: "{}", want: undefined },
  { json: '{"enable_kv_cache_events":true,"publisher":"null"}', want: undefined },
  { json: '{"enable_kv_cache_events":false,"publisher":"zmq"}', want: undefined },
  { json: '{"enable_kv_cache_events":true}', want: DEFAULTS },
  {
    json:
      '{"enable_kv_cache_events":true,"publisher":"zmq","endpoint":"tcp://*:1",' +
      '"replay_endpoint":"tcp://*:2","buffer_steps":3,"hwm":4,"max_queue_size":5,"topic":"kv@"}',
    want: {
      ...DEFAULTS,
      endpoint: "tcp://*:1",
      replayEndpoint: "tcp://*:2",
      bufferSteps: 3,
      hwm: 4,
      topic: "kv@",
    },
  },
]) {
  test(`kv-events-config: ${json}`, () => {
    assert.deepEqual(readKvEventsConfig(json, SHAPE), want);
  });
}

for (const [json, message] of [
  ["{", /--kv-events-config: must be a JSON object/],
  ["[]", /--kv-events-config: /],
  ['{"enable_kv_cache_events":1}', /--kv-events-config enable_kv_cache_events: /],
  ['{"publisher":"kafka"}', /publisher: unknown value \(allowed: null, zmq\)/],
  ['{"endpoint":"http://x"}', /endpoint: must be tcp:/],
  ['{"buffer_steps":0}', /buffer_steps: /],
  ['{"endpoints":"tcp://*:1"}', /endpoints: unknown field/],
] as const) {
  test(`kv-events-config: refused: ${json}`, () => {
    assert.throws(() => readKvEventsConfig(json, SHAPE), message);
  });
}
