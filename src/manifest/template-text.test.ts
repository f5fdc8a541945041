import assert from "node:assert/strict";
import { test } from "node:test";
import { resolveTemplates } from "./template-text.ts";

const meta = { name: "qwen-pd", namespace: "demo" };

const CASES: readonly (readonly [text: string, resolved: string, unknown: readonly string[]])[] = [
  ["plain } {text}", "plain } {text}", []],
  ["{{ .ObjectMeta.Name }}", "qwen-pd", []],
  ["{{.ObjectMeta.Namespace}}/{{- .ObjectMeta.Name -}}!", "demo/qwen-pd!", []],
  ["{{ ChildName .ObjectMeta.Name `-inference-pool` }}", "qwen-pd-inference-pool", []],
  ['{{ ChildName .ObjectMeta.Name "-epp" }}', "qwen-pd-epp", []],
  ["{{ .Spec.Model.Name }}", "{{ .Spec.Model.Name }}", ["{{ .Spec.Model.Name }}"]],
  ["{{ `text` }}", "{{ `text` }}", ["{{ `text` }}"]],
  [
    "{{ ChildName .X `-a` }} {{ .Y }}",
    "{{ ChildName .X `-a` }} {{ .Y }}",
    ["{{ ChildName .X `-a` }}", "{{ .Y }}"],
  ],
  ["a {{ .ObjectMeta.Name", "a {{ .ObjectMeta.Name", ["{{ .ObjectMeta.Name"]],
  ["{{}}", "{{}}", ["{{}}"]],
];

for (const [text, resolved, unknown] of CASES) {
  test(`template: ${text}`, () =>
    assert.deepEqual(resolveTemplates(text, meta), { text: resolved, unknown }));
}

test("template: a long text of open braces is read once", () => {
  const text = "{{ {".repeat(50_000);
  assert.deepEqual(resolveTemplates(text, meta).unknown.length, 1);
});
