import assert from "node:assert/strict";
import { test } from "node:test";
import { exampleService, readRepositoryFile } from "./comparison-fixture.test.ts";
import { PLUGIN_FACTS } from "./plugin-facts.ts";

/** The section's text on one line. */
function sectionOf(type: string): string {
  const sections = readRepositoryFile("docs/plugins.md").split(/^## /m);
  const section = sections.find((text) => text.startsWith(`\`${type}\`\n`));
  assert.ok(section !== undefined, `docs/plugins.md has no section ${type}`);
  return section.replaceAll(/\s+/g, " ");
}

for (const [type, { here, formula, parameters }] of PLUGIN_FACTS) {
  test(`plugin-facts: what ${type} does here is what docs/plugins.md says`, () => {
    const section = sectionOf(type);
    assert.ok(section.includes(here), here);
    if (formula === undefined) assert.match(section, /\*\*Formula\.\*\* –/);
    else assert.ok(section.includes(`**Formula.** ${formula}`), formula);
    const missing = Object.keys(parameters).filter((name) => !section.includes(`\`${name}\``));
    assert.deepEqual(missing, []);
  });
}

for (const name of ["gpt-oss-20b", "qwen-pd"] as const) {
  test(`plugin-facts: each plugin of ${name} has an entry`, () => {
    const types = exampleService(name).config.plugins.map(({ definition }) => definition.type);
    assert.ok(types.length >= 5);
    assert.deepEqual(
      types.filter((type) => !PLUGIN_FACTS.has(type)),
      [],
    );
  });
}
