import assert from "node:assert/strict";
import test from "node:test";
import { ConfigError } from "../core/config-error.ts";
import { findModel } from "./models.ts";
import { parseModelSpec } from "./parse-model-spec.ts";

test("model file: what the tables hold is read back unchanged", () => {
  for (const name of ["gpt-oss-120b", "Qwen3-0.6B"]) {
    const model = findModel(name);
    assert.deepEqual(parseModelSpec(JSON.parse(JSON.stringify(model))), model);
  }
});

const moe = { ...findModel("gpt-oss-20b") };
const cases = [
  { name: "no object", raw: [], paths: [""] },
  { name: "a count of zero", raw: { ...moe, layers: 0 }, paths: ["layers"] },
  { name: "a text for a number", raw: { ...moe, vocab: "32000" }, paths: ["vocab"] },
  { name: "an unknown field", raw: { ...moe, layer: 3 }, paths: ["layer"] },
  {
    name: "heads that do not divide",
    raw: { ...moe, kvHeads: 7 },
    paths: ["kvHeads"],
  },
  {
    name: "two wrong fields at once",
    raw: { ...moe, name: "", experts: { count: 4, active: 2, bytesPerParameter: -1 } },
    paths: ["name", "experts.bytesPerParameter"],
  },
  {
    name: "more active experts than there are",
    raw: { ...moe, experts: { count: 4, active: 5, bytesPerParameter: 1 } },
    paths: ["experts.active"],
  },
];
for (const { name, raw, paths } of cases) {
  test(`model file: ${name} is refused at its path`, () => {
    assert.throws(
      () => parseModelSpec(raw),
      (error) => {
        assert.ok(error instanceof ConfigError);
        const found = error.faults.map((fault) => fault.path);
        for (const path of paths) assert.ok(found.includes(path), `${path} in ${found}`);
        return true;
      },
    );
  });
}
