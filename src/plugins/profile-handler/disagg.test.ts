import assert from "node:assert/strict";
import test from "node:test";
import type { EndpointTraits } from "../../../test/fixtures/endpoint-with.ts";
import { pluginOf, throwing } from "../../../test/fixtures/plugin-of.ts";
import { poolWith } from "../../../test/fixtures/pool-core.ts";
import { parseBody, requestWith } from "../../../test/fixtures/request-with.ts";
import { ConfigError } from "../../core/config-error.ts";
import type { PoolRouterCore } from "../../director/pool-router-core.ts";
import { ROLE_LABEL } from "../../endpoints/endpoint-table.ts";
import type { InferenceRequest } from "../../request/inference-request.ts";
import { disaggProfileHandler } from "./disagg.ts";

const P: EndpointTraits = { role: "prefill" };
const D: EndpointTraits = { role: "decode" };
const E: EndpointTraits = { role: "encode" };

const encodeOnly = pluginOf("encode-only", {
  filter(cycle, candidates, reject) {
    for (let i = 0; i < candidates.count; i++) {
      const role = cycle.endpoints.labels(candidates.slots[i] as number)[ROLE_LABEL];
      if (role !== "encode") reject(i, "no encode endpoint");
    }
  },
});
const yes = pluginOf("yes", { decide: () => true });
const no = pluginOf("no", { decide: () => false });
const faulty = pluginOf("faulty", { decide: throwing });
const broken = pluginOf("broken", { filter: throwing });

interface PoolShape {
  readonly endpoints?: readonly EndpointTraits[];
  /** Profiles that are configured; all three unless given. */
  readonly profiles?: readonly string[];
  /** Filter of the encode profile. */
  readonly encodeFilter?: string;
  readonly decider?: ReturnType<typeof pluginOf>;
}

function disaggPool(parameters: object, shape: PoolShape = {}): PoolRouterCore {
  const { endpoints = [P, D, E], encodeFilter = "encode-only" } = shape;
  const all = {
    prefill: ["prefill-filter", "max-score-picker"],
    encode: [encodeFilter, "max-score-picker"],
    decode: ["decode-filter", "max-score-picker"],
  };
  const wanted = shape.profiles ?? Object.keys(all);
  return poolWith({
    endpoints,
    plugins: [
      { plugin: "disagg-profile-handler", parameters },
      yes,
      no,
      faulty,
      broken,
      encodeOnly,
      ...(shape.decider === undefined ? [] : [shape.decider]),
      "always-disagg-multimodal-decider",
      "prefill-filter",
      "decode-filter",
      "max-score-picker",
    ],
    profiles: Object.fromEntries(Object.entries(all).filter(([name]) => wanted.includes(name))),
  }).core;
}

/** Profiles in the order in which they ran, and who was chosen for each stage or why nobody. */
function journey(core: PoolRouterCore, request = requestWith()): { ran: string; want: string } {
  const admission = core.arrive(request, 0);
  const ran = core.decisions.read(1)?.profiles.map(({ profile }) => profile) ?? [];
  if (admission.kind !== "decided") {
    const want = admission.kind === "rejected" ? admission.rejection.reason : admission.kind;
    return { ran: ran.join(), want };
  }
  const { prefill, encode, primary } = admission.plan;
  const stages = [prefill, encode, primary].flatMap((targets) => targets[0]?.id ?? []);
  return { ran: ran.join(), want: stages.join(" > ") };
}

function mediaRequest(type: string): InferenceRequest {
  const content = [{ type: "text", text: "what is it" }, { type }];
  const parsed = parseBody({ model: "m", messages: [{ role: "user", content }] });
  assert.ok(parsed.kind === "parsed");
  return parsed.request;
}

const BOTH = { deciders: { prefill: "yes", encode: "yes" } };
const PREFILL_FIRST = { stageOrder: "prefill-first" };
const ALL_RAN = { ran: "decode,encode,prefill", want: "e0 > e2 > e1" };

const journeys: readonly {
  name: string;
  parameters?: object;
  shape?: PoolShape;
  ran: string;
  want: string;
}[] = [
  { name: "no decider is decode alone", ran: "decode", want: "e1" },
  { name: "both deciders want their stage", parameters: BOTH, ...ALL_RAN },
  {
    name: "decode-first is the default",
    parameters: { stageOrder: "decode-first", ...BOTH },
    ...ALL_RAN,
  },
  {
    name: "DecodeFirst is decode-first",
    parameters: { stageOrder: "DecodeFirst", ...BOTH },
    ...ALL_RAN,
  },
  {
    name: "a prefill decider alone skips encode",
    parameters: { deciders: { prefill: "yes" } },
    ran: "decode,prefill",
    want: "e0 > e1",
  },
  {
    name: "an encode decider alone skips prefill",
    parameters: { deciders: { encode: "yes" } },
    ran: "decode,encode",
    want: "e2 > e1",
  },
  {
    name: "deciders that decline leave the request whole",
    parameters: { deciders: { prefill: "no", encode: "no" } },
    ran: "decode",
    want: "e1",
  },
  {
    name: "no decode endpoint ends it: nothing else runs",
    parameters: BOTH,
    shape: { endpoints: [P, E] },
    ran: "decode",
    want: "filtered-out",
  },
  {
    name: "no encode endpoint falls through to prefill",
    parameters: BOTH,
    shape: { endpoints: [P, D] },
    ran: "decode,encode,prefill",
    want: "e0 > e1",
  },
  {
    name: "a fault in encode falls through to prefill",
    parameters: BOTH,
    shape: { encodeFilter: "broken" },
    ran: "decode,encode,prefill",
    want: "e0 > e1",
  },
  {
    name: "trap 12: a prefill stage without endpoint leaves the request whole",
    parameters: BOTH,
    shape: { endpoints: [D, E] },
    ran: "decode,encode,prefill",
    want: "e1 > e0",
  },
  {
    name: "a stage whose profile is not configured is left out",
    parameters: BOTH,
    shape: { profiles: ["decode"] },
    ran: "decode",
    want: "e1",
  },
  {
    name: "a decider that throws is a fault",
    parameters: { deciders: { prefill: "faulty" } },
    ran: "decode",
    want: "plugin-failed",
  },
  {
    name: "a decider that is not there is a fault",
    parameters: { deciders: { prefill: "absent" } },
    ran: "decode",
    want: "plugin-failed",
  },
  {
    name: "prefill-first needs no decider",
    parameters: PREFILL_FIRST,
    ran: "prefill,decode",
    want: "e0 > e1",
  },
  {
    name: "PrefillFirst is prefill-first",
    parameters: { stageOrder: "PrefillFirst" },
    ran: "prefill,decode",
    want: "e0 > e1",
  },
  {
    name: "prefill-first with encode",
    parameters: { ...PREFILL_FIRST, deciders: { encode: "yes" } },
    ran: "prefill,encode,decode",
    want: "e0 > e2 > e1",
  },
  {
    name: "prefill-first without prefill endpoint falls through to decode",
    parameters: PREFILL_FIRST,
    shape: { endpoints: [D] },
    ran: "prefill,decode",
    want: "e0",
  },
  {
    name: "prefill-first without decode endpoint is a refusal",
    parameters: PREFILL_FIRST,
    shape: { endpoints: [P] },
    ran: "prefill,decode",
    want: "filtered-out",
  },
  {
    name: "trap 11: an endpoint without role decodes and never prefills",
    parameters: BOTH,
    shape: { endpoints: [{}, P] },
    ran: "decode,encode,prefill",
    want: "e1 > e0",
  },
  {
    name: "flat keys name the deciders",
    parameters: { prefillDeciderPluginName: "yes", encodeDeciderPluginName: "yes" },
    ...ALL_RAN,
  },
  {
    name: "the oldest flat key is the prefill decider",
    parameters: { deciderPluginName: "yes" },
    ran: "decode,prefill",
    want: "e0 > e1",
  },
  {
    name: "stages run under the names that profiles give",
    parameters: {
      profiles: { decode: "prefill", prefill: "decode" },
      deciders: { prefill: "yes" },
    },
    ran: "prefill,decode",
    want: "e1 > e0",
  },
  {
    name: "stages run under the names that flat keys give",
    parameters: { decodeProfile: "prefill", prefillProfile: "decode", deciderPluginName: "yes" },
    ran: "prefill,decode",
    want: "e1 > e0",
  },
];
for (const { name, parameters = {}, shape, ran, want } of journeys) {
  test(`disagg-profile-handler: ${name}`, () => {
    assert.deepEqual(journey(disaggPool(parameters, shape)), { ran, want });
  });
}

const media: readonly [type: string, want: string][] = [
  ["text", "e1"],
  ["image_url", "e2 > e1"],
  ["video_url", "e2 > e1"],
  ["input_audio", "e2 > e1"],
];
for (const [type, want] of media) {
  test(`disagg-profile-handler: with the multimodal decider a ${type} part goes ${want}`, () => {
    const core = disaggPool({ deciders: { encode: "always-disagg-multimodal-decider" } });
    assert.equal(journey(core, mediaRequest(type)).want, want);
  });
}

test("disagg-profile-handler: deciders are asked once, with the decode endpoint if there is one", () => {
  for (const [parameters, want] of [
    [{ deciders: { prefill: "yes", encode: "asked" } }, [1]],
    [{ stageOrder: "prefill-first", deciders: { encode: "asked" } }, [undefined]],
  ] as const) {
    const seen: (number | undefined)[] = [];
    const decider = pluginOf("asked", {
      decide: (_cycle, decodeSlot) => {
        seen.push(decodeSlot);
        return false;
      },
    });
    journey(disaggPool(parameters, { decider }));
    assert.deepEqual(seen, want);
  }
});

test("disagg-profile-handler: names prefill and encode endpoints for the sidecar", () => {
  const core = disaggPool(BOTH, { endpoints: [P, D, E, { role: "encode", address: "[::1]:9" }] });
  const admission = core.arrive(requestWith(), 0);
  assert.ok(admission.kind === "decided");
  const { setHeaders } = admission.plan;
  assert.equal(setHeaders.get("x-prefiller-host-port"), "e0:8000");
  // The picker advertises one, so one encode endpoint gets the work.
  assert.match(setHeaders.get("x-encoder-hosts-ports") ?? "", /^(\[::1\]:9|e2:8000)$/);
});

const parameterFaults: readonly [unknown, string][] = [
  [{ stageOrder: "encode-first" }, "stageOrder"],
  [{ profiles: { decode: "" } }, "profiles.decode"],
  [{ profiles: { encoder: "e" } }, "profiles.encoder"],
  [{ deciders: { decode: "yes" } }, "deciders.decode"],
  [{ profiles: { decode: "d" }, prefillProfile: "p" }, "prefillProfile"],
  [{ deciders: { prefill: "yes" }, encodeDeciderPluginName: "yes" }, "encodeDeciderPluginName"],
  [{ profiles: {}, deciderPluginName: "yes" }, "deciderPluginName"],
  [{ deciderPluginName: "a", prefillDeciderPluginName: "b" }, "deciderPluginName"],
  [{ stageOrder: "prefill-first", deciders: { prefill: "yes" } }, "deciders.prefill"],
  [{ stageOrder: "PrefillFirst", deciderPluginName: "yes" }, "deciderPluginName"],
  [{ threshold: 0 }, "threshold"],
];
for (const [parameters, path] of parameterFaults) {
  test(`disagg-profile-handler: ${JSON.stringify(parameters)} is a fault at ${path}`, () => {
    assert.throws(
      () => disaggProfileHandler.configure(parameters),
      (error) => error instanceof ConfigError && error.faults[0]?.path === path,
    );
  });
}

test("disagg-profile-handler: the deciders that it names are references by their parameter", () => {
  const referencesOf = (parameters: object) =>
    disaggProfileHandler.configure(parameters).references;
  assert.deepEqual(referencesOf({ deciders: { prefill: "p", encode: "e" } }), [
    { path: "deciders.prefill", name: "p", role: "decide" },
    { path: "deciders.encode", name: "e", role: "decide" },
  ]);
  assert.deepEqual(referencesOf({ deciderPluginName: "p", encodeDeciderPluginName: "e" }), [
    { path: "deciderPluginName", name: "p", role: "decide" },
    { path: "encodeDeciderPluginName", name: "e", role: "decide" },
  ]);
  assert.deepEqual(referencesOf({ deciders: { prefill: "" } }), []);
});

test("disagg-profile-handler: decode must have a profile, and each stage its own", () => {
  const fault = (parameters: object, profiles: readonly string[]) =>
    disaggProfileHandler.configure(parameters).profilesFault(profiles);
  assert.equal(fault({}, ["decode"]), undefined);
  assert.match(fault({}, ["prefill"]) ?? "", /decode, which is missing/);
  assert.match(
    fault({ profiles: { prefill: "decode" } }, ["decode"]) ?? "",
    /each stage needs its own/,
  );
});
