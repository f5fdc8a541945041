import assert from "node:assert/strict";
import test from "node:test";
import { benchFor, picked, profilesRun } from "../../../test/fixtures/plugin-bench.ts";
import { type RequestTraits, requestWith } from "../../../test/fixtures/request-with.ts";
import { ConfigError } from "../../core/config-error.ts";
import type { ProfileOutcome } from "../../plugin/cycle.ts";
import { type RequestedStage, requestedStage } from "../../plugin/request-attribute.ts";
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
});
