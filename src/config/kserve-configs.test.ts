import assert from "node:assert/strict";
import { test } from "node:test";
import { KSERVE_CONFIGS, NEW, OLD } from "../../test/fixtures/kserve-configs.ts";
import { createRegistry } from "../plugin/registry.ts";
import { knownPlugins } from "../plugins/builtin-plugins.ts";
import { describeMappings } from "./describe-mappings.ts";
import { loadRouterConfig } from "./load-router-config.ts";
import { migrateConfig } from "./migrate-config.ts";

const registry = createRegistry(knownPlugins);

for (const [name, text] of Object.entries(KSERVE_CONFIGS)) {
  test(`kserve: the default of ${name} loads in both eras, and as migrated`, () => {
    for (const version of [OLD, NEW]) {
      const source = { text: text.replace(/^apiVersion: .*/, `apiVersion: ${version}`) };
      const config = loadRouterConfig({ ...source, file: "f", registry });
      assert.ok(config.plugins.some(({ definition }) => definition.roles.includes("handler")));
      const migrated = migrateConfig({ ...source, file: "f", registry });
      const again = loadRouterConfig({ text: migrated.text, file: "f", registry });
      assert.deepEqual(describeMappings(again), []);
      assert.deepEqual(
        again.profiles.map((profile) => profile.plugins.map(({ weight }) => weight)),
        config.profiles.map((profile) => profile.plugins.map(({ weight }) => weight)),
      );
    }
  });
}
