import assert from "node:assert/strict";
import { test } from "node:test";
import { blueprintOf, poolWith } from "../../test/fixtures/pool-core.ts";
import { parseBody, requestWith } from "../../test/fixtures/request-with.ts";
import { requestId } from "../core/brand.ts";
import { applyEdits } from "../request/span-edit.ts";
import type { PoolBlueprint } from "./pool-plugins.ts";

const PLAIN = blueprintOf(["single-profile-handler", "max-score-picker"], {
  default: ["max-score-picker"],
});

function rulesFor(rules: Pick<PoolBlueprint, "rewrites" | "objectives">) {
  const { core } = poolWith({ endpoints: [{}] });
  core.reconfigure({ ...PLAIN, ...rules });
  return core;
}

test("incoming: a rewrite replaces just the model's span of the body, and the decision names both", () => {
  const core = rulesFor({
    rewrites: [{ rules: [{ matches: ["m"], targets: [{ model: 'big "m"', weight: 1 }] }] }],
  });
  const text = '{ "seed": 9007199254740993, "model" : "m", "prompt":"x", "n":1e0 }';
  const parsed = parseBody(text, { id: "r", path: "/v1/completions" });
  assert.ok(parsed.kind === "parsed");
  const admission = core.arrive(parsed.request, 0);
  assert.ok(admission.kind === "decided");
  const body = applyEdits(new TextEncoder().encode(text), admission.plan.edits);
  assert.equal(
    new TextDecoder().decode(body),
    '{ "seed": 9007199254740993, "model" : "big \\"m\\"", "prompt":"x", "n":1e0 }',
  );
  const { request } = core.decisions.latest(1)[0] ?? {};
  assert.equal(request?.id, requestId("r"));
  assert.equal(request?.model, 'big "m"');
  assert.equal(request?.askedModel, "m");
});

test("incoming: a model that no rule speaks of leaves as it came", () => {
  const core = rulesFor({
    rewrites: [{ rules: [{ matches: ["other"], targets: [{ model: "x", weight: 1 }] }] }],
  });
  const admission = core.arrive(requestWith(), 0);
  assert.ok(admission.kind === "decided");
  assert.deepEqual(admission.plan.edits, []);
  assert.equal(core.decisions.latest(1)[0]?.request.askedModel, undefined);
});

test("incoming: a request gets the priority of the objective that it names, else 0", () => {
  const core = rulesFor({ objectives: [{ name: "batch", priority: -5 }] });
  const priorityWith = (headers: Record<string, string>): number | undefined => {
    core.arrive(requestWith({ headers }), 0);
    return core.decisions.latest(1)[0]?.request.priority;
  };
  assert.equal(priorityWith({ "x-llm-d-inference-objective": "batch" }), -5);
  assert.equal(priorityWith({ "x-gateway-inference-objective": "batch" }), -5);
  assert.equal(priorityWith({ "x-llm-d-inference-objective": "nobody" }), 0);
  assert.equal(priorityWith({}), 0);
});

test("incoming: a reload keeps endpoints, in-flight counts and prefix index, and changes the plugins", () => {
  const plugins = ["single-profile-handler", "prefix-cache-scorer", "max-score-picker"];
  const producer = {
    plugin: "approx-prefix-cache-producer",
    parameters: { blockBytes: 64, maxPrefixBlocksToMatch: 256, lruCapacityPerServer: 100 },
  };
  const { core } = poolWith({
    endpoints: [{}, {}],
    plugins: [...plugins, producer],
    profiles: { default: [["prefix-cache-scorer", 1], "max-score-picker"] },
  });
  const request = requestWith({ prompt: "the same words ".repeat(20) });
  const first = core.arrive(request, 0);
  assert.ok(first.kind === "decided");
  core.reconfigure(
    blueprintOf([...plugins, producer], {
      default: [["prefix-cache-scorer", 3], "max-score-picker"],
    }),
  );
  assert.equal(core.inFlightCount, 1);
  const second = core.arrive(request, 1);
  assert.ok(second.kind === "decided");
  assert.equal(second.plan.primary[0]?.id, first.plan.primary[0]?.id);
  const winner = core.decisions
    .latest(1)[0]
    ?.profiles[0]?.candidates.find(({ rank }) => rank === 1);
  assert.equal(winner?.scores[0]?.weighted, 3);
  core.firstByte(first.decision, 2);
});
