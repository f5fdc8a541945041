import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { loadRouterConfig } from "../../src/config/load-router-config.ts";
import { migrateConfig } from "../../src/config/migrate-config.ts";
import type { RouterConfig } from "../../src/config/router-config.ts";
import type { PoolRouterCore } from "../../src/director/pool-router-core.ts";
import { createRegistry } from "../../src/plugin/registry.ts";
import { knownPlugins } from "../../src/plugins/builtin-plugins.ts";
import type { EndpointTraits } from "../fixtures/endpoint-with.ts";
import { poolWith, served } from "../fixtures/pool-core.ts";
import { requestWith } from "../fixtures/request-with.ts";

const registry = createRegistry(knownPlugins);

/** What a configuration of the byte era says. */
interface OldForm {
  readonly blockBytes: number | undefined;
  readonly maxBlocks: number | undefined;
  readonly capacity: number | undefined;
  readonly picker: string;
  readonly weights: readonly [prefix: number, queue: number, kv: number];
  /** Undefined for one profile without prefill. */
  readonly threshold: number | undefined;
}

const oldForm: fc.Arbitrary<OldForm> = fc
  .record({
    // Blocks of whole tokens keep their size; others are told of as a changed meaning.
    blockBytes: fc.option(fc.integer({ min: 16, max: 64 }).map((tokens) => 4 * tokens)),
    maxBlocks: fc.option(fc.integer({ min: 1, max: 40 })),
    capacity: fc.option(fc.integer({ min: 1, max: 40 })),
    picker: fc.constantFrom("max-score-picker", "random-picker"),
    weights: fc.tuple(fc.nat({ max: 3 }), fc.nat({ max: 3 }), fc.nat({ max: 3 })),
    threshold: fc.option(fc.nat({ max: 500 }).map((tokens) => 4 * tokens)),
  })
  .map((form) => ({
    ...form,
    blockBytes: form.blockBytes ?? undefined,
    maxBlocks: form.maxBlocks ?? undefined,
    capacity: form.capacity ?? undefined,
    threshold: form.threshold ?? undefined,
  }));

function textOf({ picker, weights, threshold, ...cache }: OldForm): string {
  const [prefix, queue, kv] = weights;
  const uses = [
    { pluginRef: "prefix-cache-scorer", weight: prefix },
    { pluginRef: "queue-scorer", weight: queue },
    { pluginRef: "kv-cache-scorer", weight: kv },
    { pluginRef: picker },
  ];
  const profile = (name: string, filter: string) => ({
    name,
    plugins: [{ pluginRef: filter }, ...uses],
  });
  const isSplit = threshold !== undefined;
  return JSON.stringify({
    apiVersion: "inference.networking.x-k8s.io/v1alpha1",
    kind: "EndpointPickerConfig",
    plugins: [
      isSplit
        ? { type: "pd-profile-handler", parameters: { threshold } }
        : { type: "single-profile-handler" },
      ...(isSplit ? ["prefill-header-handler", "prefill-filter", "decode-filter"] : []).map(
        (type) => ({ type }),
      ),
      { type: "queue-scorer" },
      { type: "kv-cache-scorer" },
      {
        type: "prefix-cache-scorer",
        parameters: {
          hashBlockSize: cache.blockBytes,
          maxPrefixBlocksToMatch: cache.maxBlocks,
          lruCapacityPerServer: cache.capacity,
        },
      },
      { type: picker },
    ],
    schedulingProfiles: isSplit
      ? [profile("prefill", "prefill-filter"), profile("decode", "decode-filter")]
      : [{ name: "default", plugins: uses }],
  });
}

const endpoints: fc.Arbitrary<readonly EndpointTraits[]> = fc
  .array(fc.record({ queue: fc.nat({ max: 4 }), kv: fc.double({ min: 0, max: 1, noNaN: true }) }), {
    minLength: 1,
    maxLength: 5,
  })
  .map((states) => [
    ...states.map((state) => ({ ...state, role: "decode" })),
    ...states.map((state) => ({ ...state, role: "prefill" })),
  ]);

/** Prompts that share beginnings; their lengths are in units of `step` bytes. */
const prompts = (step: number): fc.Arbitrary<readonly string[]> =>
  fc.array(
    fc
      .tuple(fc.constantFrom("a", "b"), fc.nat({ max: 400 }), fc.nat({ max: 100 }))
      .map(([letter, shared, own]) => letter.repeat(step * shared) + "c".repeat(step * own)),
    { minLength: 1, maxLength: 12 },
  );

function poolsOf(
  text: string,
  states: readonly EndpointTraits[],
  seed: number,
): readonly PoolRouterCore[] {
  const source = { file: "f", registry };
  const configs: readonly RouterConfig[] = [
    loadRouterConfig({ ...source, text }),
    loadRouterConfig({ ...source, text: migrateConfig({ ...source, text }).text }),
  ];
  return configs.map((blueprint) => poolWith({ blueprint, seed, endpoints: states }).core);
}

test("migration: the migrated configuration chooses alike, request by request", () => {
  fc.assert(
    fc.property(oldForm, endpoints, prompts(4), fc.integer(), (form, states, texts, seed) => {
      const [old, young] = poolsOf(textOf(form), states, seed).map((core) =>
        texts.map((prompt, index) => served(core, requestWith({ prompt, id: `r${index}` }))),
      );
      assert.deepEqual(young, old);
    }),
  );
});

test("migration: bytes and tokens differ only where the rounding decides", () => {
  const lengths = fc.nat({ max: 2100 });
  fc.assert(
    fc.property(oldForm, lengths, lengths, fc.integer(), (form, threshold, size, seed) => {
      fc.pre(threshold > 0 && size > 0);
      const states = [{ role: "decode" }, { role: "prefill" }];
      const [old, young] = poolsOf(textOf({ ...form, threshold }), states, seed).map((core) =>
        served(core, requestWith({ prompt: "a".repeat(size) })),
      );
      if (old !== young) assert.ok(Math.abs(size - threshold) < 4, `${size} bytes`);
    }),
  );
});
