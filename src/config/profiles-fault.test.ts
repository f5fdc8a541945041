import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError } from "../core/config-error.ts";
import { createRegistry } from "../plugin/registry.ts";
import { builtinPlugins } from "../plugins/builtin-plugins.ts";
import { loadRouterConfig } from "./load-router-config.ts";

test("profiles: a plugin that is no handler may miss a profile too, and is told so where it stands", () => {
  const text = [
    "apiVersion: llm-d.ai/v1alpha1",
    "kind: EndpointPickerConfig",
    "plugins:",
    "- type: session-affinity-scorer",
    "  parameters: { profileName: decode }",
    "schedulingProfiles:",
    "- name: default",
    "  plugins:",
    "  - pluginRef: session-affinity-scorer",
  ].join("\n");
  const registry = createRegistry(builtinPlugins);
  assert.throws(
    () => loadRouterConfig({ text, file: "f.yaml", registry }),
    (error) => {
      assert.ok(error instanceof ConfigError);
      assert.equal(error.faults.length, 1);
      assert.equal(error.faults[0]?.position?.line, 4);
      assert.match(error.message, /decode/);
      return true;
    },
  );
});
