import assert from "node:assert/strict";
import test from "node:test";
import { benchFor } from "../../test/fixtures/plugin-bench.ts";
import { ConfigError } from "../core/config-error.ts";
import { InvariantError } from "../core/invariant.ts";
import { definePlugin, noParams } from "./define-plugin.ts";
import type { PluginInstance, Role } from "./plugin-instance.ts";

const facts = { type: "t", stability: "stable", params: noParams } as const;

const mismatches: readonly { name: string; roles: readonly Role[]; instance: PluginInstance }[] = [
  { name: "a declared role is absent", roles: ["score", "filter"], instance: { score: () => {} } },
  {
    name: "a role was not declared",
    roles: ["score"],
    instance: { score: () => {}, filter: () => {} },
  },
  { name: "another role was declared", roles: ["filter"], instance: { score: () => {} } },
];
for (const { name, roles, instance } of mismatches) {
  test(`define-plugin: an instance is refused when ${name}`, () => {
    const definition = definePlugin({ ...facts, roles, create: () => instance });
    assert.throws(() => benchFor(definition, [{}]), InvariantError);
  });
}

test("define-plugin: decoded parameters reach the instance and the profiles' check", () => {
  const definition = definePlugin({
    ...facts,
    roles: [],
    params: (raw) => Number(raw),
    profilesFault: (params, profiles) => `${params} of ${profiles.join()}`,
    create: (params) => ({ dumpState: () => params }),
  });
  assert.equal(definition.configure("7").profilesFault(["a", "b"]), "7 of a,b");
  assert.equal(benchFor(definition, [{}], { parameters: "7" }).instance.dumpState?.(), 7);
});

for (const raw of [undefined, null, {}]) {
  test(`define-plugin: ${JSON.stringify(raw)} is no parameter`, () => {
    assert.equal(noParams(raw), undefined);
  });
}

const parameters: readonly [unknown, string][] = [
  [{ weight: 1 }, "weight"],
  [[], ""],
  ["x", ""],
  [0, ""],
  [false, ""],
];
for (const [raw, path] of parameters) {
  test(`define-plugin: ${JSON.stringify(raw)} is refused where no parameter is taken`, () => {
    assert.throws(
      () => noParams(raw),
      (error) => error instanceof ConfigError && error.faults[0]?.path === path,
    );
  });
}
