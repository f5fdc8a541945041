import assert from "node:assert/strict";
import test from "node:test";
import { oldPool, pool } from "../../test/fixtures/kube-objects.ts";
import { poolPaths, readPool } from "./inference-pool.ts";

test("inference-pool: both versions have one form", () => {
  assert.deepEqual(readPool(pool("p", [8000, 8001], { b: "2", a: "1" })), {
    selector: "a=1,b=2",
    ports: [8000, 8001],
  });
  assert.deepEqual(readPool(oldPool("p", 8000)), { selector: "app=llm", ports: [8000] });
});

const spec = (ports: readonly unknown[], matchLabels: object = {}) => ({
  spec: { selector: { matchLabels }, targetPorts: ports },
});
const BAD: readonly (readonly [string, unknown])[] = [
  ["nothing", undefined],
  ["no spec", {}],
  ["no port", spec([])],
  ["a port of 0", spec([{ number: 0 }])],
  ["nine ports", spec(Array.from({ length: 9 }, (_, i) => ({ number: 8000 + i })))],
  ["a label that could become another query", spec([{ number: 80 }], { app: "x,y!=z" })],
];
for (const [name, content] of BAD) {
  test(`inference-pool: ${name} is not read`, () => assert.equal(readPool(content), undefined));
}

test("inference-pool: both groups are looked for, the one that is named first", () => {
  const ref = { namespace: "ns", name: "p" };
  const old = "/apis/inference.networking.x-k8s.io/v1alpha2/namespaces/ns/inferencepools";
  const today = "/apis/inference.networking.k8s.io/v1/namespaces/ns/inferencepools";
  const group = "inference.networking.x-k8s.io";
  assert.deepEqual(poolPaths({ ...ref, group }), [old, today]);
  assert.deepEqual(poolPaths(ref), [today, old]);
});
