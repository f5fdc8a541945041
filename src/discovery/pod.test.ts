import assert from "node:assert/strict";
import test from "node:test";
import { type PodTraits, pod } from "../../test/fixtures/kube-objects.ts";
import { endpointsOf, isLabel, readPod } from "./pod.ts";

const IP = "10.0.0.1";

function found(traits: Partial<PodTraits>, ports: readonly number[]): readonly string[] {
  const read = readPod(pod("gpu", { ip: IP, ...traits }));
  assert.ok(read);
  return endpointsOf(read, ports).map(({ id, address }) => `${id} ${address}`);
}

interface Case {
  readonly name: string;
  readonly traits: Partial<PodTraits>;
  readonly ports: readonly number[];
  readonly want: readonly string[];
}

const active = (value: string, key = "llm-d.ai/active-ports") => ({
  annotations: { [key]: value },
});

const CASES: readonly Case[] = [
  { name: "one port", traits: {}, ports: [8000], want: [`gpu ${IP}:8000`] },
  {
    name: "several ports",
    traits: {},
    ports: [8000, 8001],
    want: [`gpu-rank-0 ${IP}:8000`, `gpu-rank-1 ${IP}:8001`],
  },
  { name: "IPv6", traits: { ip: "fd00::1" }, ports: [80], want: ["gpu [fd00::1]:80"] },
  { name: "not ready", traits: { isReady: false }, ports: [8000], want: [] },
  { name: "about to go", traits: { isTerminating: true }, ports: [8000], want: [] },
  { name: "no address yet", traits: { ip: "" }, ports: [8000], want: [] },
  { name: "an address that is none", traits: { ip: "evil.example" }, ports: [8000], want: [] },
  {
    name: "active ports keep their rank",
    traits: active("8001"),
    ports: [8000, 8001],
    want: [`gpu-rank-1 ${IP}:8001`],
  },
  {
    name: "active ports by the older annotation, with what is no port",
    traits: active(" 8000 , x, -1, 99999", "inference.networking.k8s.io/active-ports"),
    ports: [8000, 8001],
    want: [`gpu-rank-0 ${IP}:8000`],
  },
  { name: "no active port", traits: active(""), ports: [8000], want: [] },
];
for (const { name, traits, ports, want } of CASES) {
  test(`pod: ${name}`, () => assert.deepEqual(found(traits, ports), want));
}

test("pod: labels are kept as they are, and what cannot be one is left out", () => {
  const labels = {
    "llm-d.ai/role": "decode",
    "llm-d.ai/engine-type": "vllm",
    empty: "",
    "bad key\n": "x",
    bad: "va\nlue",
    long: "x".repeat(64),
  };
  const read = readPod(pod("gpu", { ip: IP, labels }));
  assert.deepEqual(read?.labels, {
    "llm-d.ai/role": "decode",
    "llm-d.ai/engine-type": "vllm",
    empty: "",
  });
  const many = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`l${i}`, "x"]));
  const bounded = readPod(pod("gpu", { ip: IP, labels: many }));
  assert.equal(Object.keys(bounded?.labels ?? {}).length, 64);
});

test("pod: what is none is not read", () => {
  for (const content of [undefined, 1, {}, { metadata: {} }, { metadata: { name: "../../x" } }]) {
    assert.equal(readPod(content), undefined);
  }
  assert.ok(isLabel("example.com/a", "b"));
  assert.ok(!isLabel("a/b/c", "b"));
});
