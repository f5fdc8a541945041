import assert from "node:assert/strict";
import test from "node:test";
import { benchFor } from "../../../test/fixtures/plugin-bench.ts";
import { requestWith } from "../../../test/fixtures/request-with.ts";
import { ConfigError } from "../../core/config-error.ts";
import { prefixMatch, promptTokens } from "../../plugin/request-attribute.ts";
import { prefixBasedPdDecider } from "./prefix-based-pd.ts";

const PREFILL_SLOT = 0;
const DECODE_SLOT = 1;

/**
 * A match of so many tokens on the decode endpoint, in blocks of one token; the prefill one holds
 * all.
 */
function matchOf(cached: number) {
  return { blockCount: 1000, blockBytes: 4, matchedBySlot: Int32Array.from([1000, cached]) };
}

/** llm-d's own table; prompts are of four bytes a token. */
const cases: readonly {
  input: number;
  cached: number | undefined;
  nonCachedTokens: number;
  promptTokens?: number;
  want: boolean;
}[] = [
  { input: 10, cached: 5, nonCachedTokens: 0, promptTokens: 0, want: false },
  { input: 10, cached: 0, nonCachedTokens: 5, promptTokens: 20, want: false },
  { input: 10, cached: 0, nonCachedTokens: 20, promptTokens: 0, want: false },
  { input: 10, cached: 5, nonCachedTokens: 5, promptTokens: 10, want: true },
  { input: 10, cached: 8, nonCachedTokens: 5, promptTokens: 0, want: false },
  { input: 10, cached: 5, nonCachedTokens: 5, promptTokens: 0, want: true },
  { input: 10, cached: 2, nonCachedTokens: 3, promptTokens: 0, want: true },
  { input: 10, cached: 10, nonCachedTokens: 1, promptTokens: 0, want: false },
  { input: 10, cached: 0, nonCachedTokens: 10, promptTokens: 10, want: true },
  { input: 10, cached: 0, nonCachedTokens: 10, promptTokens: 11, want: false },
  { input: 0, cached: 0, nonCachedTokens: 1, want: false },
  { input: 10, cached: undefined, nonCachedTokens: 1, want: false },
  { input: 10, cached: undefined, nonCachedTokens: 0, want: false },
];
for (const { input, cached, want, ...parameters } of cases) {
  const { nonCachedTokens, promptTokens: least = "unset" } = parameters;
  const held = cached === undefined ? "an unknown part" : cached;
  test(`prefix-based-pd-decider: ${input} tokens with ${held} cached, nonCachedTokens ${nonCachedTokens}, promptTokens ${least}: ${want}`, () => {
    const { instance, cycle } = benchFor(prefixBasedPdDecider, [{}, {}], {
      parameters,
      request: requestWith({ prompt: "a".repeat(4 * input) }),
      ...(cached === undefined ? {} : { match: matchOf(cached) }),
    });
    assert.equal(instance.decide?.(cycle, DECODE_SLOT), want);
  });
}

test("prefix-based-pd-decider: without a decode endpoint nothing is split off", () => {
  const { instance, cycle } = benchFor(prefixBasedPdDecider, [{}, {}], {
    parameters: { nonCachedTokens: 1 },
    match: matchOf(0),
  });
  assert.equal(instance.decide?.(cycle, undefined), false);
});

test("prefix-based-pd-decider: what counts is cached on the asked endpoint", () => {
  const { instance, cycle } = benchFor(prefixBasedPdDecider, [{}, {}], {
    parameters: { nonCachedTokens: 5 },
    request: requestWith({ prompt: "a".repeat(40) }),
    match: matchOf(0),
  });
  assert.equal(instance.decide?.(cycle, DECODE_SLOT), true);
  assert.equal(instance.decide?.(cycle, PREFILL_SLOT), false);
});

test("prefix-based-pd-decider: reads the producer that it names, and no other", () => {
  const named = (prefixMatchInfoProducerName: string) =>
    benchFor(prefixBasedPdDecider, [{}, {}], {
      parameters: { nonCachedTokens: 5, prefixMatchInfoProducerName },
      request: requestWith({ prompt: "a".repeat(40) }),
      match: matchOf(10),
    });
  for (const [name, want] of [
    ["mine", true],
    ["", false],
    ["absent", false],
  ] as const) {
    const { instance, cycle } = named(name);
    cycle.set(prefixMatch, matchOf(0), "mine");
    assert.equal(instance.decide?.(cycle, DECODE_SLOT), want, `producer "${name}"`);
  }
});

test("prefix-based-pd-decider: tokens of a producer stand before the estimate", () => {
  const { instance, cycle } = benchFor(prefixBasedPdDecider, [{}, {}], {
    parameters: { nonCachedTokens: 100 },
    request: requestWith({ prompt: "a" }),
    match: matchOf(0),
  });
  assert.equal(instance.decide?.(cycle, DECODE_SLOT), false);
  cycle.set(promptTokens, 100);
  assert.equal(instance.decide?.(cycle, DECODE_SLOT), true);
});

const faults: readonly [object, string][] = [
  [{ nonCachedTokens: 5, promptTokens: -1 }, "promptTokens"],
  [{ nonCachedTokens: -1 }, "nonCachedTokens"],
  [{ nonCachedTokens: 1.5 }, "nonCachedTokens"],
  [{ nonCachedTokens: "5" }, "nonCachedTokens"],
  [{ threshold: 5 }, "threshold"],
];
for (const [parameters, path] of faults) {
  test(`prefix-based-pd-decider: ${JSON.stringify(parameters)} is a fault at ${path}`, () => {
    assert.throws(
      () => prefixBasedPdDecider.configure(parameters),
      (error) => error instanceof ConfigError && error.faults[0]?.path === path,
    );
  });
}

test("prefix-based-pd-decider: the producer that it names must be one", () => {
  const parameters = { prefixMatchInfoProducerName: "mine" };
  assert.deepEqual(prefixBasedPdDecider.configure(parameters).references, [
    { path: "prefixMatchInfoProducerName", name: "mine", role: "produce" },
  ]);
  assert.deepEqual(prefixBasedPdDecider.configure(undefined).references, []);
});
