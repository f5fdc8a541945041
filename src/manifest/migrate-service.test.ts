import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { Migration } from "../config/migration-draft.ts";
import { createRegistry } from "../plugin/registry.ts";
import { knownPlugins } from "../plugins/builtin-plugins.ts";
import { loadService } from "./load-service.ts";
import { migrateService } from "./migrate-service.ts";

const registry = createRegistry(knownPlugins);
const migrate = (text: string): Migration => migrateService({ text, file: "f", registry });

/** Lines of `after` that are not in `before`, and the other way round. */
function changedLines(before: string, after: string): readonly (readonly string[])[] {
  const [old, young] = [before.split("\n"), after.split("\n")];
  return [old.filter((line) => !young.includes(line)), young.filter((line) => !old.includes(line))];
}

for (const path of ["gpt-oss-20b", "qwen-pd"]) {
  test(`migrate service: ${path} changes inside its configuration only, and once`, () => {
    const before = readFileSync(new URL(`../../examples/${path}.yaml`, import.meta.url), "utf8");
    const { text } = migrate(before);
    const [start, end] = ["- --configText\n", "    route: {}\n"].map((mark) => ({
      old: before.indexOf(mark),
      young: text.indexOf(mark),
    }));
    assert.ok(start !== undefined && end !== undefined && start.old > 0 && end.old > 0);
    assert.equal(text.slice(0, start.young), before.slice(0, start.old));
    assert.equal(text.slice(end.young), before.slice(end.old));
    assert.match(text, /apiVersion: llm-d.ai\/v1alpha1/);
    assert.deepEqual(migrate(text), { text, changes: [] });
    const comments = (file: string): number => file.match(/#/g)?.length ?? 0;
    assert.equal(comments(text), comments(before));
  });
}

const service = (scheduler: string): string => `apiVersion: serving.kserve.io/v1alpha1
kind: LLMInferenceService
metadata: {name: one}
spec:
  model: {uri: "hf://a/b"}   # odd spacing
  router:
    scheduler:
${scheduler}
  replicas:   2
`;

const CONFIG = `apiVersion: inference.networking.x-k8s.io/v1alpha1
kind: EndpointPickerConfig
plugins:
- type: kv-cache-scorer # usage`;

const argument = (...args: readonly string[]): string =>
  service(
    ["      template:", "        containers:", "        - name: main", "          args:"]
      .concat(args.map((text) => `          ${text}`))
      .join("\n"),
  );

const block = (config: string, indent: number): string =>
  config
    .split("\n")
    .map((line) => " ".repeat(indent) + line)
    .join("\n");

const CHANGED = [
  ["apiVersion: inference.networking.x-k8s.io/v1alpha1", "- type: kv-cache-scorer # usage"],
  ["apiVersion: llm-d.ai/v1alpha1", "- type: kv-cache-utilization-scorer # usage"],
];

const FORMS: Readonly<Record<string, string>> = {
  "an inline mapping": service(`      config:\n        inline:\n${block(CONFIG, 10)}`),
  "a literal block": argument("- --config-text", `- |\n${block(CONFIG, 14)}`, "- -v=4"),
  "a block that keeps its blank lines": argument(
    "- --config-text",
    `- |2+\n\n${block(CONFIG, 12)}\n\n\n`,
    "- -v=4",
  ),
  "a block behind the flag": argument(
    `- |-\n            --config-text=${CONFIG.replaceAll("\n", "\n            ")}`,
  ),
};
for (const [name, before] of Object.entries(FORMS)) {
  test(`migrate service: ${name} keeps the rest byte for byte`, () => {
    const { text } = migrate(before);
    const lines = changedLines(before, text).map((side) =>
      side.map((line) => line.trim().replace("--config-text=", "")),
    );
    assert.deepEqual(lines, CHANGED);
    assert.equal(text.split("\n").length, before.split("\n").length);
  });
}

test("migrate service: a quoted argument becomes a double-quoted one", () => {
  const before = argument("- --config-text", `- '${CONFIG.replaceAll("\n", "\n\n            ")}'`);
  const { text } = migrate(before);
  assert.match(text, /^ {10}- "apiVersion: llm-d\.ai\/v1alpha1\\nkind: .*\\n.*utilization-scorer/m);
  const { config } = loadService({ text, file: "f", registry });
  assert.equal(config.plugins[0]?.name, "kv-cache-utilization-scorer");
});

test("migrate service: without a configuration nothing changes", () => {
  const text = service("      replicas: 1");
  assert.deepEqual(migrate(text), { text, changes: [] });
});

test("migrate service: objects of the pool stand in the same file", () => {
  const text = `${service("      replicas: 1")}---
apiVersion: llm-d.ai/v1alpha1
kind: InferenceObjective
metadata: {name: now}
spec: {priority: 3}
`;
  const { config, notes } = loadService({ text, file: "f", registry });
  assert.deepEqual(config.objectives, [{ name: "now", priority: 3 }]);
  assert.equal(
    notes.some(({ message }) => message.includes("is ignored")),
    false,
  );
});
