import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { parse, stringify } from "yaml";
import { ConfigError, describeFault } from "../core/config-error.ts";
import { createRegistry } from "../plugin/registry.ts";
import { builtinPlugins } from "../plugins/builtin-plugins.ts";
import { loadService } from "./load-service.ts";

const registry = createRegistry(builtinPlugins);
const read = (name: string): string =>
  readFileSync(new URL(`../../examples/${name}.yaml`, import.meta.url), "utf8");
const SINGLE = read("gpt-oss-20b");
const SPLIT = read("qwen-pd");
const ARGS = "spec.router.scheduler.template.containers[0].args";
const MAIN = "spec.template.containers[0]";

/** What is replaced by what; where the one fault is told: its path, at the start of the needle. */
type Row = readonly [
  name: string,
  replaced: string,
  by: string,
  needle: string,
  path: string,
  message: RegExp,
];

const SINGLE_ROWS: readonly Row[] = [
  [
    "unknown apiVersion",
    "serving.kserve.io/v1alpha1",
    "serving.kserve.io/v1",
    "apiVersion",
    "apiVersion",
    /allowed: serving.kserve.io\/v1alpha1, /,
  ],
  [
    "another kind",
    "kind: LLMInferenceService",
    "kind: InferenceService",
    "kind",
    "kind",
    /allowed: LLMInferenceService/,
  ],
  ["no name", "  name: gpt-oss-20b\n", "", "metadata:", "metadata.name", /required/],
  [
    "bad name",
    "  name: gpt-oss-20b\n",
    "  name: GPT_OSS\n",
    "name: GPT",
    "metadata.name",
    /lower-case/,
  ],
  ["bad namespace", "demo-llm", "demo.llm", "namespace:", "metadata.namespace", /lower-case/],
  [
    "unknown spec field",
    "  replicas: 4",
    "  replicaz: 4",
    "replicaz",
    "spec.replicaz",
    /unknown field \(allowed: model, router, prefill, replicas,/,
  ],
  [
    "unknown router field",
    "    route: {}",
    "    routes: {}",
    "routes",
    "spec.router.routes",
    /allowed: route, gateway/,
  ],
  [
    "unknown model field",
    "    uri:",
    "    url: x\n    uri:",
    "url:",
    "spec.model.url",
    /allowed: uri, name/,
  ],
  ["no uri", "    uri: hf://openai/gpt-oss-20b\n", "", "model:\n", "spec.model.uri", /required/],
  [
    "negative replicas",
    "replicas: 4",
    "replicas: -1",
    "replicas: -1",
    "spec.replicas",
    /at least 0/,
  ],
  [
    "replicas in quotes",
    "replicas: 4",
    'replicas: "4"',
    'replicas: "4"',
    "spec.replicas",
    /integer/,
  ],
  [
    "unknown template",
    ".ObjectMeta.Namespace",
    ".ObjectMeta.Labels",
    '"{{ .ObjectMeta.Labels',
    `${ARGS}[4]`,
    /unknown template \{\{ .ObjectMeta.Labels \}\} \(allowed: /,
  ],
  ["argument without quotes", '"9002"', "9002", "9002", `${ARGS}[8]`, /write "9002" in quotes/],
  [
    "configuration in a file",
    "- --secureServing",
    "- --config-file=/etc/epp.yaml",
    "--config-file",
    `${ARGS}[11]`,
    /--config-text/,
  ],
  [
    "configuration twice",
    "- --secureServing",
    `- '--configText={"apiVersion": "llm-d.ai/v1alpha1", "kind": "EndpointPickerConfig"}'`,
    "|\n",
    `${ARGS}[18]`,
    /second configuration/,
  ],
  [
    "unknown plugin inside the block scalar",
    "type: queue-scorer\n",
    "type: queue-scorers\n                  name: queue-scorer\n",
    "type: queue-scorers",
    "plugins[2].type",
    /did you mean queue-scorer\?/,
  ],
  [
    "bad parameter inside the block scalar",
    "hashBlockSize: 64 ",
    "hashBlockSize: 0 ",
    "hashBlockSize",
    "plugins[4].parameters.hashBlockSize",
    /at least 1/,
  ],
  [
    "duplicate key inside the block scalar",
    "  parameters:\n",
    "  parameters: {}\n                  parameters:\n",
    "parameters:\n",
    "",
    /duplicate key/,
  ],
  [
    "GPU count",
    'limits:\n            cpu: "1"\n            memory: 8Gi\n            nvidia.com/gpu: "1"',
    'limits:\n            cpu: "1"\n            memory: 8Gi\n            nvidia.com/gpu: half',
    "nvidia.com/gpu: half",
    `${MAIN}.resources.limits.nvidia.com/gpu`,
    /whole number/,
  ],
  [
    "probe without port",
    "            port: 8000\n",
    "",
    "httpGet:",
    `${MAIN}.livenessProbe.httpGet.port`,
    /required/,
  ],
  [
    "probe period",
    "periodSeconds: 30",
    "periodSeconds: 0",
    "periodSeconds",
    `${MAIN}.livenessProbe.periodSeconds`,
    /at least 1/,
  ],
  [
    "environment value without quotes",
    'value: "--disable-uvicorn-access-log"',
    "value: 5",
    "value: 5",
    `${MAIN}.env[0].value`,
    /write "5" in quotes/,
  ],
  [
    "quote never closed",
    'value: "--disable',
    "value: \"--x '--disable",
    'value: "--x',
    `${MAIN}.env[0].value`,
    /a ' that is never closed/,
  ],
  [
    "bad JSON in an argument",
    'value: "--disable',
    'value: "--kv-transfer-config {a} --disable',
    'value: "--kv',
    `${MAIN}.env[0].value`,
    /--kv-transfer-config must be a JSON object, not "\{a\}"/,
  ],
  [
    "environment without name",
    "- name: VLLM_ADDITIONAL_ARGS\n            value",
    "- value",
    'value: "--',
    `${MAIN}.env[0].name`,
    /required/,
  ],
  [
    "volume without name",
    "- name: kserve-provision-location\n        persistent",
    "- persistent",
    "persistentVolumeClaim",
    "spec.template.volumes[0].name",
    /required/,
  ],
  [
    "parallelism",
    "  replicas: 4",
    "  parallelism: {tensors: 2}",
    "tensors",
    "spec.parallelism.tensors",
    /allowed: tensor, /,
  ],
  [
    "ConfigMap",
    "    scheduler:\n",
    "    scheduler:\n      config: {ref: {name: epp}}\n",
    "ref:",
    "spec.router.scheduler.config.ref",
    /put its text in config.inline/,
  ],
];

const SPLIT_ROWS: readonly Row[] = [
  [
    "unknown prefill field",
    "  prefill:\n",
    "  prefill:\n    router: {}\n",
    "router: {}",
    "spec.prefill.router",
    /allowed: replicas, /,
  ],
  [
    "profile missing",
    "- name: decode\n",
    "- name: decoder\n",
    "type: pd-profile",
    "plugins[0]",
    /missing: decode/,
  ],
];

for (const [base, rows] of [
  [SINGLE, SINGLE_ROWS],
  [SPLIT, SPLIT_ROWS],
] as const) {
  for (const [name, replaced, by, needle, path, message] of rows) {
    test(`service fault: ${name}`, () => {
      assert.ok(base.includes(replaced), "the variant changes the text");
      const text = base.replace(replaced, () => by);
      const faults = describeFaults(text);
      assert.equal(faults.length, 1, faults.join("\n"));
      const expected = `f:${placeOf(text, needle)}: ${path === "" ? "" : `${path}: `}`;
      assert.equal(faults[0]?.startsWith(expected), true, `${faults[0]} is not at ${expected}`);
      assert.match(faults[0] ?? "", message);
    });
  }
}

test("service fault: the configuration flag is the last argument", () => {
  const text = SINGLE.replace(/(- --configText\n)[\s\S]*?(?= {4}route: )/, "$1");
  assert.deepEqual(describeFaults(text), [
    `f:${placeOf(text, "--configText")}: ${ARGS}[17]: needs the configuration as the next argument`,
  ]);
});

test("service fault: a file holds one service", () => {
  const [fault, ...others] = describeFaults(`${SINGLE}---\n${SINGLE}`);
  assert.match(fault ?? "", /kind: a file holds one LLMInferenceService, this is a second one/);
  assert.deepEqual(others, []);
  assert.deepEqual(describeFaults("# nothing\n"), ["f holds no LLMInferenceService"]);
});

test("service fault: faults of the manifest and of its configuration are told together", () => {
  const text = SINGLE.replace("replicas: 4", "replicas: -4")
    .replace("kind: EndpointPickerConfig", "kind: Picker")
    .replace('"--disable-uvicorn', '"--block-size x --disable-uvicorn');
  assert.deepEqual(describeFaults(text), [
    `f:${placeOf(text, "replicas: -4")}: spec.replicas: must be an integer of at least 0`,
    `f:${placeOf(text, "kind: Picker")}: kind: unknown kind "Picker" (allowed: EndpointPickerConfig)`,
    `f:${placeOf(text, 'value: "--block')}: ${MAIN}.env[0].value: --block-size must be a positive integer, not "x"`,
  ]);
});

test("service fault: a configuration of comments is none", () => {
  const text = SINGLE.replace(
    /(- --configText\n)[\s\S]*?(?= {4}route: )/,
    "$1              - '# x'\n",
  );
  assert.deepEqual(describeFaults(text), [
    `f:${placeOf(text, "'# x'")}: ${ARGS}[18]: has no content besides comments`,
  ]);
});

/** Every place of a value, as setters of what stands there. */
function placesOf(value: unknown): ((junk: unknown) => void)[] {
  if (typeof value !== "object" || value === null) return [];
  const holder = value as Record<string, unknown>;
  return Object.keys(holder).flatMap((key) => [
    (junk: unknown): void => {
      holder[key] = junk;
    },
    ...placesOf(holder[key]),
  ]);
}

test("service fault: junk anywhere gives a service or faults with positions, never another error", () => {
  const junk = fc.constantFrom(null, "", "x", 0, -1, 1.5, true, [], {}, [null], [[]], { a: 1 });
  fc.assert(
    fc.property(fc.constantFrom(SINGLE, SPLIT), fc.nat(), junk, (text, nth, value) => {
      const manifest: unknown = parse(text);
      const places = placesOf(manifest);
      places[nth % places.length]?.(value);
      for (const fault of describeFaults(stringify(manifest)))
        assert.match(fault, /^(f:\d+:\d+: |f holds no )/);
    }),
    { numRuns: 400 },
  );
});

test("config fault: junk anywhere gives a configuration or faults, never another error", () => {
  const configs = [SINGLE, SPLIT].map(
    (text) => loadService({ text, file: "f", registry }).picker.text,
  );
  const junk = fc.constantFrom(null, "", "x", 0, -1, true, [], {}, [null], [[]], { a: 1 });
  fc.assert(
    fc.property(fc.constantFrom(...configs), fc.nat(), junk, (text, nth, value) => {
      const config: unknown = parse(text);
      const places = placesOf(config);
      places[nth % places.length]?.(value);
      const manifest = SINGLE.replace(
        "    scheduler:\n",
        `    scheduler:\n      config: {inline: ${JSON.stringify(config)}}\n`,
      );
      for (const fault of describeFaults(manifest)) assert.match(fault, /^f:\d+:\d+: /);
    }),
    { numRuns: 400 },
  );
});

function describeFaults(text: string): readonly string[] {
  try {
    loadService({ text, file: "f", registry });
  } catch (error) {
    if (error instanceof ConfigError) return error.faults.map(describeFault);
    throw error;
  }
  return [];
}

/** Line and column at which `needle` starts. */
function placeOf(text: string, needle: string): string {
  assert.ok(text.includes(needle), `${needle} is in the text`);
  const before = text.slice(0, text.indexOf(needle)).split("\n");
  return `${before.length}:${(before.at(-1)?.length ?? 0) + 1}`;
}
