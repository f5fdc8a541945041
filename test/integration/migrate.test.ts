import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { EXAMPLES, runCli } from "../fixtures/running-up.ts";

const folder = mkdtempSync(join(tmpdir(), "switchyard-"));

test("migrate: the new file goes to stdout, the report to stderr, and a second run changes nothing", async () => {
  for (const [index, example] of EXAMPLES.entries()) {
    const first = await runCli(["migrate", example]);
    assert.equal(first.code, 0, first.stderr);
    assert.match(first.stdout, /llm-d\.ai\/v1alpha1/);
    assert.match(first.stderr, /^rewritten:$/m);
    assert.match(first.stderr, /^rewritten, and the meaning changes:$/m);
    const file = join(folder, `${index}.yaml`);
    const written = await runCli(["migrate", example, "--output", file]);
    assert.deepEqual([written.code, written.stdout], [0, ""]);
    assert.equal(readFileSync(file, "utf8"), first.stdout);
    const second = await runCli(["migrate", file, "--json"]);
    assert.equal(second.code, 0, second.stderr);
    assert.deepEqual(JSON.parse(second.stdout), { text: first.stdout, changes: [] });
  }
});

test("migrate: a file that is missing, invalid or cannot be written is exit 2 with one line", async () => {
  const broken = join(folder, "broken.yaml");
  writeFileSync(broken, "apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\nplugin: []\n");
  const [example = ""] = EXAMPLES;
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [[join(folder, "none.yaml")], /cannot read .*: there is no such file/],
    [[broken], /broken\.yaml:3:1: plugin: unknown field/],
    [[example, "--output", join(folder, "none", "x.yaml")], /cannot write .*ENOENT/],
    [[], /missing required argument/],
  ];
  for (const [args, message] of cases) {
    const { code, stdout, stderr } = await runCli(["migrate", ...args]);
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, message);
  }
});
