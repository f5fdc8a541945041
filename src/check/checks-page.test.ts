import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ALL_RULES } from "./check-files.ts";
import { checksPage } from "./checks-page.ts";

test("docs/checks.md is what `switchyard check --rules` prints", () => {
  const page = new URL("../../docs/checks.md", import.meta.url);
  assert.equal(readFileSync(page, "utf8"), checksPage());
});

test("rules: ids are unique, begin with their group's letter and have reasons", () => {
  const ids = ALL_RULES.map(({ id }) => id);
  assert.deepEqual(ids.length, new Set(ids).size);
  for (const { id, group, title, why, fix } of ALL_RULES) {
    assert.match(id, new RegExp(`^${group}\\d+$`));
    assert.ok(title !== "" && why.endsWith(".") && fix.endsWith("."), id);
  }
});
