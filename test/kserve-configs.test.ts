import assert from "node:assert/strict";
import { test } from "node:test";
import { checkFacts } from "../src/app/check-facts.ts";
import { neutralState } from "../src/app/endpoint-state.ts";
import { explainRequest } from "../src/app/explain-request.ts";
import { builtinRegistry } from "../src/app/plugin-registry.ts";
import { checkFiles } from "../src/check/check-files.ts";
import { findTarget } from "../src/check/targets.ts";
import { loadRouterConfig } from "../src/config/load-router-config.ts";
import { endpointId } from "../src/core/brand.ts";
import { invariant } from "../src/core/invariant.ts";
import { ROLE_LABEL } from "../src/endpoints/endpoint-table.ts";
import { KSERVE_CONFIGS } from "./fixtures/kserve-configs.ts";

const target = findTarget("switchyard");
invariant(target !== undefined, "the default target");
const registry = builtinRegistry();
const endpoints = ["decode", "prefill"].map((role) =>
  neutralState(endpointId(`${role}-0`), { [ROLE_LABEL]: role }),
);

for (const [name, text] of Object.entries(KSERVE_CONFIGS)) {
  test(`kserve: the default of ${name} passes check and schedules a request`, () => {
    const run = { target, facts: checkFacts(undefined), registry, running: undefined };
    const errors = checkFiles([{ file: name, text }], run).filter(
      ({ severity }) => severity === "error",
    );
    assert.deepEqual(errors, []);
    const config = loadRouterConfig({ text, file: name, registry });
    const body = JSON.stringify({ model: "m", prompt: "Tell me more. ".repeat(100) });
    const decision = explainRequest({
      pool: "pool",
      config,
      modelName: "",
      endpoints,
      request: { body: new TextEncoder().encode(body), file: name, headers: {} },
      seed: 1,
    });
    assert.equal(decision.rejection, null);
    assert.notEqual(decision.endpoint, null);
    const isSplit = config.profiles.some((profile) => profile.name === "prefill");
    assert.equal(decision.prefillEndpoint, isSplit ? "prefill-0" : null);
  });
}
