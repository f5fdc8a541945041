import assert from "node:assert/strict";
import { test } from "node:test";
import {
  both,
  config,
  diagnosticsOf,
  HANDLER,
  kindsOf,
  PICKER,
  PLAIN,
  plugin,
  QUEUE,
  type ServiceChange,
  service,
} from "./check-fixture.test.ts";

test("check: a service in which nothing is wrong has notes alone", () => {
  const kinds = kindsOf(diagnosticsOf([service()])).filter((kind) => !kind.endsWith(" note"));
  assert.deepEqual(kinds, []);
});

test("check: a bare configuration is checked without a manifest", () => {
  const text = JSON.stringify(
    config([HANDLER, QUEUE, PICKER], { default: ["queue-scorer*0", "max-score-picker"] }),
  );
  assert.ok(kindsOf(diagnosticsOf([text])).includes("S1 warning"));
});

for (const { name, text } of [
  { name: "broken YAML", text: "kind: [" },
  { name: "an unknown kind", text: "apiVersion: v1\nkind: Pod" },
  { name: "a fault in a service", text: service({ model: { uri: 3 } }) },
  { name: "an empty file", text: "" },
]) {
  test(`check: ${name} is an L1 error and no exception`, () => {
    const found = diagnosticsOf([text]);
    assert.ok(found.length > 0);
    assert.deepEqual([...new Set(kindsOf(found))], ["L1 error"]);
  });
}

test("check: a fault of one file leaves the findings of the other", () => {
  const found = diagnosticsOf(["kind: [", service({ replicas: 1 })]);
  assert.equal(found[0]?.rule, "L1");
  assert.ok(kindsOf(found).includes("C22 warning"));
});

test("check: findings stand in the order of the files and their lines", () => {
  const found = diagnosticsOf([service(both({})), service({ replicas: 1 })]);
  const places = found.map(({ position }) => [position?.file, position?.line ?? 0] as const);
  const sorted = places.toSorted(
    ([oneFile = "", oneLine], [file = "", line]) => oneFile.localeCompare(file) || oneLine - line,
  );
  assert.deepEqual(places, sorted);
});

const OTHER = { metadata: { name: "other" }, model: { name: "other" } };
const PAIRS: readonly (readonly [kind: string, changed: ServiceChange])[] = [
  ["J1 warning", { model: { uri: "hf://Qwen/Qwen3-32B", name: "other" } }],
  ["J2 warning", { replicas: 4 }],
  ["J3 advice", { replicas: 4 }],
  ["J4 warning", { env: { VLLM_ADDITIONAL_ARGS: "--max-num-seqs 8" } }],
  ["J5 warning", { limits: { cpu: "16" } }],
  ["J6 advice", { container: { livenessProbe: { httpGet: { port: 8000 } } } }],
  [
    "J7 warning",
    {
      picker: config([HANDLER, plugin("random-picker")], { default: ["random-picker"] }),
    },
  ],
  ["J8 advice", { template: { tolerations: [] } }],
  ["G7 error", { model: { name: "Qwen/Qwen3-8B" } }],
];

for (const [kind, changed] of PAIRS) {
  test(`check: ${kind} is told of two services that differ so`, () => {
    const left = service();
    const pair = [left, service({ ...OTHER, ...changed })];
    assert.ok(kindsOf(diagnosticsOf(pair)).includes(kind));
    const equal = kindsOf(diagnosticsOf([left, service(OTHER)]));
    assert.ok(!equal.includes(kind), equal.join(", "));
    const alone = kindsOf(diagnosticsOf([service({ ...OTHER, ...changed })]));
    assert.ok(!alone.includes(kind));
  });
}

test("check: three files are not compared", () => {
  const kinds = kindsOf(diagnosticsOf([service(), service(OTHER), service({ replicas: 4 })]));
  assert.deepEqual(
    kinds.filter((kind) => kind.startsWith("J")),
    [],
  );
});

test("check: a rule's finding takes the place of the loader's remark", () => {
  const text = JSON.stringify({
    ...PLAIN,
    plugins: [HANDLER, QUEUE, PICKER, plugin("kv-cache-scorer")],
  });
  const found = diagnosticsOf([text]);
  const place = found.find(({ rule }) => rule === "S5")?.position;
  assert.ok(place !== undefined);
  const beside = found.filter(
    ({ rule, position }) =>
      rule === "L2" && position?.line === place.line && position.column === place.column,
  );
  assert.deepEqual(beside, []);
});
