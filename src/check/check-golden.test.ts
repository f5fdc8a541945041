import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { checkFacts } from "../app/check-facts.ts";
import { builtinRegistry } from "../app/plugin-registry.ts";
import { checkFiles } from "./check-files.ts";
import { renderDiagnostics } from "./render-diagnostics.ts";
import { TARGETS } from "./targets.ts";

const root = new URL("../../", import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), "utf8");

for (const name of ["gpt-oss-20b", "qwen-pd"]) {
  for (const target of TARGETS.filter(({ name }) => ["switchyard", "kserve-0.18"].includes(name))) {
    test(`check: findings on ${name} for ${target.name} are the recorded ones`, () => {
      const file = `examples/${name}.yaml`;
      const files = [{ file, text: read(file) }];
      const registry = builtinRegistry();
      const found = checkFiles(files, { target, facts: checkFacts(undefined), registry });
      const isFailing = found.some(({ severity }) => severity === "error");
      assert.equal(isFailing, target.name === "kserve-0.18");
      const text = renderDiagnostics(found, { files, target: target.name, hasColours: false });
      assert.equal(`${text}\n`, read(`test/golden/check/${name}.${target.name}.txt`));
    });
  }
}
