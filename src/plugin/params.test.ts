import assert from "node:assert/strict";
import test from "node:test";
import { z } from "zod";
import { ConfigError, type ConfigFault } from "../core/config-error.ts";
import { keyPath, paramsOf } from "./params.ts";

const decode = paramsOf(
  z.strictObject({
    size: z.int().positive().default(64),
    mode: z.enum(["auto", "match"]).optional(),
    rows: z.array(z.strictObject({ name: z.string() })).optional(),
  }),
);

function faultsFor(raw: unknown): readonly ConfigFault[] {
  try {
    decode(raw);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.faults;
  }
  return [];
}

for (const raw of [undefined, null, {}]) {
  test(`params: ${JSON.stringify(raw)} takes the defaults`, () => {
    assert.deepEqual(decode(raw), { size: 64 });
  });
}

const faults: readonly { name: string; raw: unknown; paths: readonly string[] }[] = [
  { name: "an unknown key is a fault at the key", raw: { sise: 1 }, paths: ["sise"] },
  { name: "each unknown key is named", raw: { a: 1, b: 2 }, paths: ["a", "b"] },
  {
    name: "an unknown key below keeps its path",
    raw: { rows: [{ name: "x", y: 1 }] },
    paths: ["rows[0].y"],
  },
  { name: "a wrong type is a fault at its key", raw: { size: "64" }, paths: ["size"] },
  { name: "a list is no object", raw: [], paths: [""] },
  { name: "a string is no object", raw: "x", paths: [""] },
];
for (const { name, raw, paths } of faults) {
  test(`params: ${name}`, () => {
    assert.deepEqual(
      faultsFor(raw).map((fault) => fault.path),
      paths,
    );
  });
}

test("params: an unknown value lists what may stand there", () => {
  assert.deepEqual(faultsFor({ mode: "x" }), [
    { path: "mode", message: "unknown value", allowed: ["auto", "match"] },
  ]);
});

test("params: a key path reads as an operator writes it", () => {
  assert.equal(
    keyPath(["plugins", 2, "parameters", "threshold"]),
    "plugins[2].parameters.threshold",
  );
  assert.equal(keyPath([0, "a"]), "[0].a");
  assert.equal(keyPath([]), "");
});
