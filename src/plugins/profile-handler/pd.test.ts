import assert from "node:assert/strict";
import test from "node:test";
import { benchFor, picked, profilesRun } from "../../../test/fixtures/plugin-bench.ts";
import { decided, poolWith } from "../../../test/fixtures/pool-core.ts";
import { type RequestTraits, requestWith } from "../../../test/fixtures/request-with.ts";
import { profileName } from "../../core/brand.ts";
import { ConfigError } from "../../core/config-error.ts";
import type { ProfileOutcome } from "../../plugin/cycle.ts";
import {
  prefixMatch,
  type RequestedStage,
  requestedStage,
} from "../../plugin/request-attribute.ts";
import { pdProfileHandler } from "./pd.ts";

const PREFILL_SLOT = 0;
const DECODE_SLOT = 1;
const BOTH = { decode: picked(DECODE_SLOT), prefill: picked(PREFILL_SLOT) };

interface Situation {
  readonly name: string;
  readonly threshold?: number;
  readonly request: RequestTraits;
  /** Matched blocks of 64 bytes on the decode endpoint; left out is no prefix producer. */
  readonly matched?: number;
  /** Matched blocks on the prefill endpoint, which must not matter. */
  readonly matchedOnPrefill?: number;
  readonly asked?: RequestedStage;
  readonly outcomes?: Readonly<Record<string, ProfileOutcome>>;
  readonly run: readonly string[];
  /** Where it goes, or why it is refused. */
  readonly want: string;
}

function resultOf(situation: Situation): { run: readonly string[]; want: string } {
  const { threshold, matched, matchedOnPrefill = 0 } = situation;
  const match =
    matched === undefined
      ? {}
      : {
          match: {
            blockCount: 1000,
            blockBytes: 64,
            matchedBySlot: Int32Array.from([matchedOnPrefill, matched]),
          },
        };
  const bench = benchFor(pdProfileHandler, [{ role: "prefill" }, { role: "decode" }], {
    profiles: ["prefill", "decode"],
    parameters: threshold === undefined ? undefined : { threshold },
    request: requestWith(situation.request),
    ...match,
  });
  if (situation.asked !== undefined) bench.cycle.set(requestedStage, situation.asked);
  const run = profilesRun(bench, situation.outcomes ?? BOTH);
  const result = bench.instance.handler?.result(bench.cycle);
  assert.ok(result !== undefined);
  if (result.kind === "rejected") return { run, want: result.rejection.reason };
  const { primary, prefill } = result;
  return { run, want: prefill === undefined ? primary : `${prefill} > ${primary}` };
}

const WHOLE = { run: ["decode"], want: "decode" };
const SPLIT = { run: ["decode", "prefill"], want: "prefill > decode" };
const size = (bytes: number): RequestTraits => ({ prompt: "a".repeat(bytes) });

const situations: readonly Situation[] = [
  { name: "29,999 bytes stay whole", threshold: 30_000, request: size(29_999), ...WHOLE },
  { name: "30,000 bytes are split", threshold: 30_000, request: size(30_000), ...SPLIT },
  {
    name: "a chat message of 29,971 bytes stays whole",
    threshold: 30_000,
    request: { chat: "a".repeat(29_971) },
    ...WHOLE,
  },
  {
    name: "a chat message of 29,972 bytes is exactly 30,000",
    threshold: 30_000,
    request: { chat: "a".repeat(29_972) },
    ...SPLIT,
  },
  {
    name: "10,000 characters of three bytes are 30,000 bytes",
    threshold: 30_000,
    request: { prompt: "€".repeat(10_000) },
    ...SPLIT,
  },
  {
    name: "29,999 characters of one byte and none more are below",
    threshold: 30_000,
    request: { prompt: `€${"a".repeat(29_996)}` },
    ...WHOLE,
  },
  { name: "threshold 0 splits always", threshold: 0, request: size(1), ...SPLIT },
  { name: "threshold 0 splits even an empty prompt", threshold: 0, request: size(0), ...SPLIT },
  {
    name: "threshold 0 splits what is cached",
    threshold: 0,
    request: size(64),
    matched: 1,
    ...SPLIT,
  },
  { name: "no threshold is threshold 0", request: size(1), ...SPLIT },
  {
    name: "cached bytes do not count: one below",
    threshold: 1000,
    request: size(1063),
    matched: 1,
    ...WHOLE,
  },
  {
    name: "cached bytes do not count: at the threshold",
    threshold: 1000,
    request: size(1064),
    matched: 1,
    ...SPLIT,
  },
  {
    name: "a match of more than the prompt stays whole",
    threshold: 1,
    request: size(64),
    matched: 2,
    ...WHOLE,
  },
  {
    name: "blocks of the prefill endpoint do not matter",
    threshold: 64,
    request: size(64),
    matched: 0,
    matchedOnPrefill: 1,
    ...SPLIT,
  },
  {
    name: "without a prefix producer nothing is cached",
    threshold: 64,
    request: size(64),
    ...SPLIT,
  },
  {
    name: "no decode endpoint is a refusal, and prefill does not run",
    request: size(1),
    outcomes: { decode: { kind: "empty" }, prefill: picked(PREFILL_SLOT) },
    run: ["decode"],
    want: "filtered-out",
  },
  {
    name: "a fault in decode is a refusal",
    request: size(1),
    outcomes: { decode: { kind: "failed", plugin: "p" }, prefill: picked(PREFILL_SLOT) },
    run: ["decode"],
    want: "plugin-failed",
  },
  {
    name: "no prefill endpoint leaves the request whole",
    request: size(1),
    outcomes: { decode: picked(DECODE_SLOT), prefill: { kind: "empty" } },
    run: ["decode", "prefill"],
    want: "decode",
  },
  {
    name: "X-Prefill true is prefill alone",
    threshold: 30_000,
    request: size(1),
    asked: "prefill",
    run: ["prefill"],
    want: "prefill",
  },
  {
    name: "X-Prefill true without prefill endpoint is a refusal",
    request: size(1),
    asked: "prefill",
    outcomes: { decode: picked(DECODE_SLOT), prefill: { kind: "empty" } },
    run: ["prefill"],
    want: "filtered-out",
  },
  { name: "X-Prefill false is decode alone", request: size(90_000), asked: "decode", ...WHOLE },
];
for (const situation of situations) {
  test(`pd-profile-handler: ${situation.name}`, () => {
    const { run, want } = situation;
    assert.deepEqual(resultOf(situation), { run, want });
  });
}

const parameterFaults: readonly [unknown, string][] = [
  [{ threshold: -1 }, "threshold"],
  [{ threshold: "100" }, "threshold"],
  [{ threshold: 1.5 }, "threshold"],
  [{ hashBlockSize: true }, "hashBlockSize"],
  [{ hashBlockSize: 0 }, "hashBlockSize"],
  [{ hashBlockSize: -5 }, "hashBlockSize"],
  [{ decodeProfile: "" }, "decodeProfile"],
  [{ primaryPort: 8080.5 }, "primaryPort"],
  [{ primaryPort: 65_536 }, "primaryPort"],
  [{ primaryPort: -10 }, "primaryPort"],
  [{ threshold: 0, deciderPluginName: "d" }, "deciderPluginName"],
  [{ deciderPluginName: 1 }, "deciderPluginName"],
  [{ treshold: 1 }, "treshold"],
];
for (const [parameters, path] of parameterFaults) {
  test(`pd-profile-handler: ${JSON.stringify(parameters)} is a fault at ${path}`, () => {
    assert.throws(
      () => pdProfileHandler.configure(parameters),
      (error) => error instanceof ConfigError && error.faults[0]?.path === path,
    );
  });
}

test("pd-profile-handler: the profiles that it runs must be there, by their configured names", () => {
  const plain = pdProfileHandler.configure({});
  assert.equal(plain.profilesFault(["decode", "prefill", "more"]), undefined);
  assert.match(plain.profilesFault(["decode"]) ?? "", /missing: prefill$/);
  const renamed = pdProfileHandler.configure({ decodeProfile: "d", prefillProfile: "p" });
  assert.equal(renamed.profilesFault(["d", "p"]), undefined);
  assert.match(renamed.profilesFault(["decode", "prefill"]) ?? "", /missing: d, p$/);
  const same = pdProfileHandler.configure({ prefillProfile: "decode" });
  assert.match(same.profilesFault(["decode"]) ?? "", /two profiles/);
});

test("trap 1: pd-profile-handler takes the parameters of both eras", () => {
  for (const parameters of [
    { threshold: 30_000, hashBlockSize: 64, prefixPluginName: "prefix-cache-scorer" },
    { prefixPluginType: "prefix-cache-scorer", primaryPort: 0, deciderPluginName: "d" },
    { primaryPort: 1, prefixMatchInfoProducerName: "p" },
    { primaryPort: 65_535, deciderPluginName: "", threshold: 1 },
  ]) {
    assert.doesNotThrow(() => pdProfileHandler.configure(parameters), JSON.stringify(parameters));
  }
});

test("pd-profile-handler: decider and producer that it names are references", () => {
  const parameters = { deciderPluginName: "d", prefixMatchInfoProducerName: "p" };
  assert.deepEqual(pdProfileHandler.configure(parameters).references, [
    { path: "deciderPluginName", name: "d", role: "decide" },
    { path: "prefixMatchInfoProducerName", name: "p", role: "produce" },
  ]);
  assert.deepEqual(pdProfileHandler.configure({ threshold: 0 }).references, []);
});

test("pd-profile-handler: the threshold leaves out what the named producer matched", () => {
  const { instance, cycle } = benchFor(pdProfileHandler, [{ role: "decode" }], {
    profiles: ["prefill", "decode"],
    parameters: { threshold: 64, prefixMatchInfoProducerName: "mine" },
    request: requestWith(size(64)),
  });
  cycle.outcomes.set(profileName("decode"), picked(0));
  const matched = (blocks: number) => ({
    blockCount: 1,
    blockBytes: 64,
    matchedBySlot: Int32Array.of(blocks),
  });
  cycle.set(prefixMatch, matched(1), "other");
  assert.deepEqual(instance.handler?.pick(cycle), ["prefill"]);
  cycle.set(prefixMatch, matched(1), "mine");
  assert.deepEqual(instance.handler?.pick(cycle), []);
});

const ports: readonly { primaryPort: number; headers?: object; target: string; named?: string }[] =
  [
    { primaryPort: 0, target: "10.0.0.1:8000" },
    { primaryPort: 9000, target: "10.0.0.1:9000", named: "10.0.0.1:8000" },
    // Prefill hosts have no ranks behind one port.
    { primaryPort: 9000, headers: { "x-prefill": "true" }, target: "10.0.0.2:8000" },
  ];
for (const { primaryPort, headers = {}, target, named } of ports) {
  test(`pd-profile-handler: primaryPort ${primaryPort} with ${JSON.stringify(headers)} goes to ${target}`, () => {
    const { core } = poolWith({
      endpoints: [
        { role: "decode", address: "10.0.0.1:8000" },
        { role: "prefill", address: "10.0.0.2:8000" },
      ],
      plugins: [
        { plugin: "pd-profile-handler", parameters: { primaryPort } },
        "prefill-header-handler",
        "prefill-filter",
        "decode-filter",
        "random-picker",
      ],
      profiles: {
        prefill: ["prefill-filter", "random-picker"],
        decode: ["decode-filter", "random-picker"],
      },
    });
    const { plan } = decided(core, requestWith({ headers: { ...headers } }));
    assert.equal(plan.primary[0]?.address, target);
    assert.equal(plan.primary[0]?.headers?.get("x-data-parallel-host-port"), named);
    assert.deepEqual(
      plan.prefill.map(({ address }) => address),
      "x-prefill" in headers ? [] : ["10.0.0.2:8000"],
    );
  });
}
