import assert from "node:assert/strict";
import test from "node:test";
import { z } from "zod";
import { ConfigError } from "../core/config-error.ts";
import { paramsOf } from "./params.ts";
import { instanceName, referencesTo } from "./plugin-references.ts";

const decode = paramsOf(z.strictObject({ other: instanceName }));

for (const raw of [undefined, {}, { other: "" }]) {
  test(`plugin-references: ${JSON.stringify(raw)} names nobody`, () => {
    assert.equal(decode(raw).other, undefined);
  });
}

test("plugin-references: a name that is no text is a fault at its key", () => {
  assert.equal(decode({ other: "a" }).other, "a");
  assert.throws(
    () => decode({ other: 7 }),
    (error) => error instanceof ConfigError && error.faults[0]?.path === "other",
  );
});

test("plugin-references: only what is named is referred to, with its parameter and role", () => {
  assert.deepEqual(referencesTo("decide", { "deciders.prefill": "d", encode: undefined }), [
    { path: "deciders.prefill", name: "d", role: "decide" },
  ]);
});
