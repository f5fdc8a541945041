import assert from "node:assert/strict";
import test from "node:test";
import { type Bench, benchFor } from "../../../test/fixtures/plugin-bench.ts";
import { decided, poolWith } from "../../../test/fixtures/pool-core.ts";
import { recordingMeter } from "../../../test/fixtures/recording-ports.ts";
import { requestWith } from "../../../test/fixtures/request-with.ts";
import { ConfigError } from "../../core/config-error.ts";
import type { Meter } from "../../core/meter.ts";
import { prefixMatch } from "../../plugin/request-attribute.ts";
import type { InferenceRequest } from "../../request/inference-request.ts";
import { approxPrefixCacheProducer } from "./approx-prefix-cache.ts";

const PARAMETERS = { blockBytes: 4, maxPrefixBlocksToMatch: 256, lruCapacityPerServer: 100 };

function producing(parameters: object = {}, meter?: Meter): Bench {
  return benchFor(approxPrefixCacheProducer, [{}, {}, {}], {
    parameters: { ...PARAMETERS, ...parameters },
    ...(meter === undefined ? {} : { meter }),
  });
}

/** `matched/total` of each endpoint, as the scorer would see it. */
function matches(bench: Bench, request: InferenceRequest): readonly string[] {
  bench.next(request);
  bench.instance.produce?.(bench.cycle);
  const match = bench.cycle.get(prefixMatch);
  assert.ok(match !== undefined);
  return [...match.matchedBySlot].map((matched) => `${matched}/${match.blockCount}`);
}

/** One decision: match, then credit for the chosen endpoints. */
function decide(bench: Bench, request: InferenceRequest, primary: number, prefill?: number): void {
  matches(bench, request);
  bench.instance.onPlan?.(bench.cycle, {
    primary: [primary, (primary + 1) % 3],
    prefill: prefill === undefined ? [] : [prefill],
    encode: [],
    setHeader: () => undefined,
  });
}

const prompt = (text: string) => requestWith({ prompt: text });

test("approx-prefix-cache-producer: grows a prompt block by block", () => {
  const bench = producing();
  assert.deepEqual(matches(bench, prompt("aaaaaa")), ["0/1", "0/1", "0/1"]);
  decide(bench, prompt("aaaaaa"), 1);
  assert.deepEqual(matches(bench, prompt("aaaabbbb")), ["0/2", "1/2", "0/2"]);
  decide(bench, prompt("aaaabbbb"), 1);
  assert.deepEqual(matches(bench, prompt("aaaabbbbcccc")), ["0/3", "2/3", "0/3"]);
});

test("approx-prefix-cache-producer: another model or salt shares nothing", () => {
  const bench = producing();
  decide(bench, prompt("aaaabbbb"), 1);
  const others = [
    requestWith({ prompt: "aaaabbbb", model: "other" }),
    requestWith({ prompt: "aaaabbbb", cacheSalt: "tenant" }),
  ];
  for (const other of others) assert.deepEqual(matches(bench, other), ["0/2", "0/2", "0/2"]);
});

const totals: readonly [text: string, max: number, want: number][] = [
  ["", 256, 0],
  ["aaa", 256, 0],
  ["aaaa", 256, 1],
  ["aaaabbb", 256, 1],
  ["aaaabbbbcccc", 2, 2],
];
for (const [text, maxPrefixBlocksToMatch, want] of totals) {
  test(`approx-prefix-cache-producer: "${text}" has ${want} of at most ${maxPrefixBlocksToMatch} blocks`, () => {
    const bench = producing({ maxPrefixBlocksToMatch });
    decide(bench, prompt(text), 0);
    assert.equal(matches(bench, prompt(text))[0], `${want}/${want}`);
  });
}

test("approx-prefix-cache-producer: both legs get credit, fallbacks do not", () => {
  const bench = producing();
  decide(bench, prompt("aaaabbbb"), 0, 2);
  assert.deepEqual(matches(bench, prompt("aaaabbbb")), ["2/2", "0/2", "2/2"]);
});

test("approx-prefix-cache-producer: a retry gives credit to where the request went", () => {
  const bench = producing();
  decide(bench, prompt("aaaa"), 0);
  const exchange = { request: prompt("aaaa"), slot: 1, prefillSlot: undefined, usage: undefined };
  bench.instance.onRetry?.(exchange, 0);
  assert.deepEqual(matches(bench, prompt("aaaa")), ["1/1", "1/1", "0/1"]);
});

test("trap 9: approx-prefix-cache-producer: the first bytes of every block count", () => {
  const bench = producing({ blockBytes: 16 });
  decide(bench, prompt("a".repeat(48)), 0);
  // llm-d of the description's era overwrites the first eight bytes of each later block before hashing.
  assert.equal(matches(bench, prompt(`${"a".repeat(16)}X${"a".repeat(31)}`))[0], "1/3");
  assert.equal(matches(bench, prompt(`${"a".repeat(39)}X${"a".repeat(8)}`))[0], "2/3");
});

test("trap 10: approx-prefix-cache-producer: a burst of equal prompts does not scatter", () => {
  const { core } = poolWith({
    endpoints: [{}, {}, {}, {}],
    plugins: [
      "single-profile-handler",
      { plugin: "approx-prefix-cache-producer", parameters: PARAMETERS },
      "prefix-cache-scorer",
      "max-score-picker",
    ],
    profiles: { default: ["prefix-cache-scorer", "max-score-picker"] },
  });
  const first = decided(core, prompt("aaaabbbb")).plan.primary[0]?.id;
  for (let i = 0; i < 20; i++) {
    assert.equal(decided(core, prompt("aaaabbbb")).plan.primary[0]?.id, first);
  }
});

for (const step of ["added", "removed", "ejected"] as const) {
  test(`approx-prefix-cache-producer: an endpoint that was ${step} has nothing cached`, () => {
    const bench = producing();
    decide(bench, prompt("aaaa"), 0);
    decide(bench, prompt("aaaa"), 1);
    bench.instance.onEndpoint?.(0, step);
    assert.deepEqual(matches(bench, prompt("aaaa")), ["0/1", "1/1", "0/1"]);
  });
}

test("approx-prefix-cache-producer: a full endpoint forgets the end of a prompt first", () => {
  const bench = producing({ lruCapacityPerServer: 3 });
  decide(bench, prompt("aaaabbbbcccc"), 0);
  decide(bench, prompt("xxxx"), 0);
  assert.equal(matches(bench, prompt("aaaabbbbcccc"))[0], "2/3");
});

test("approx-prefix-cache-producer: the hit on the chosen endpoint is measured", () => {
  const meter = recordingMeter();
  const bench = producing({}, meter);
  decide(bench, prompt("aaaabbbb"), 0);
  decide(bench, prompt("aaaacccc"), 0);
  decide(bench, prompt("a"), 0);
  assert.deepEqual(
    meter.readings.map(({ name, value }) => `${name} ${value}`),
    ["prefix-hit-ratio 0", "prefix-hit-bytes 0", "prefix-hit-ratio 0.5", "prefix-hit-bytes 4"],
  );
});

test("approx-prefix-cache-producer: the dump counts blocks by endpoint", () => {
  const bench = producing();
  decide(bench, prompt("aaaabbbb"), 1);
  const dump = bench.instance.dumpState?.() as { blocksByEndpoint: unknown; sizeBytes: number };
  assert.deepEqual(dump.blocksByEndpoint, { e0: 0, e1: 2, e2: 0 });
  assert.ok(dump.sizeBytes > 0);
});

for (const name of Object.keys(PARAMETERS)) {
  for (const value of [0, -1, 1.5, "4", undefined]) {
    test(`approx-prefix-cache-producer: ${name} ${JSON.stringify(value)} is a fault`, () => {
      assert.throws(
        () => approxPrefixCacheProducer.configure({ ...PARAMETERS, [name]: value }),
        (error) => error instanceof ConfigError && error.faults[0]?.path === name,
      );
    });
  }
}
