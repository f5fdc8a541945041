import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { endpointId } from "../../src/core/brand.ts";
import { type DiscoveredEndpoint, EndpointSet } from "../../src/discovery/endpoint-set.ts";
import { readPool } from "../../src/discovery/inference-pool.ts";
import { KubeFault } from "../../src/discovery/kube-fault.ts";
import { readEvent, readList } from "../../src/discovery/kube-object.ts";
import { endpointsOf, readPod } from "../../src/discovery/pod.ts";
import { pod, pool } from "../fixtures/kube-objects.ts";

/** An object with any value in the place of one of its own, at any depth. */
function spoilt(object: object): fc.Arbitrary<unknown> {
  const paths = pathsOf(object);
  return fc.tuple(fc.constantFrom(...paths), fc.jsonValue()).map(([path, value]) => {
    const copy: unknown = structuredClone(object);
    let at = copy as Record<string, unknown>;
    for (const key of path.slice(0, -1)) at = at[key] as Record<string, unknown>;
    at[path.at(-1) ?? ""] = value;
    return copy;
  });
}

function pathsOf(value: unknown, path: readonly string[] = []): readonly (readonly string[])[] {
  if (typeof value !== "object" || value === null) return [path];
  const below = Object.entries(value).flatMap(([key, child]) => pathsOf(child, [...path, key]));
  return path.length === 0 ? below : [path, ...below];
}

const POD = pod("gpu", { ip: "10.0.0.1", annotations: { "llm-d.ai/active-ports": "8000" } });
const VERSIONED = { ...POD, metadata: { ...POD.metadata, resourceVersion: "1" } };
const anything = fc.oneof(fc.jsonValue(), spoilt(VERSIONED), spoilt(pool("p", [8000, 8001])));

test("discovery: no object makes a reader throw, or an endpoint that is none", () => {
  fc.assert(
    fc.property(anything, (content) => {
      readPool(content);
      const read = readPod(content);
      if (read === undefined) return;
      for (const { id, address, labels } of endpointsOf(read, [8000, 8001])) {
        assert.match(id, /^[a-z0-9][-a-z0-9.]*-rank-[01]$/);
        assert.match(address, /^[[\]0-9a-f.:]+:800[01]$/);
        for (const text of Object.entries(labels).flat()) assert.match(text, /^[\w./-]*$/);
      }
    }),
    { numRuns: 2000 },
  );
});

test("discovery: a list or an event is read, or is a fault of the API server", () => {
  const kubeFault = (read: () => void): void => {
    try {
      read();
    } catch (error) {
      assert.ok(error instanceof KubeFault, String(error));
    }
  };
  const event = { type: "ADDED", object: VERSIONED };
  const list = { kind: "PodList", metadata: { resourceVersion: "1" }, items: [VERSIONED] };
  const answers = fc.oneof(anything, spoilt(event), spoilt(list));
  fc.assert(
    fc.property(answers, fc.string(), (answer, text) => {
      kubeFault(() => readEvent(JSON.stringify(answer), "Pod"));
      kubeFault(() => readEvent(text, "Pod"));
      kubeFault(() => readList(answer, "Pod", () => undefined));
    }),
    { numRuns: 2000 },
  );
});

const endpoint: fc.Arbitrary<DiscoveredEndpoint> = fc.record({
  id: fc.constantFrom("a", "b", "c", "d").map(endpointId),
  address: fc.constantFrom("h:1", "h:2", "h:3"),
  labels: fc.dictionary(fc.constantFrom("x", "y"), fc.constantFrom("1", "2"), {
    noNullPrototype: true,
  }),
  incarnation: fc.constantFrom("u", "v", undefined),
});

test("discovery: changes lead from any endpoints to any others", () => {
  fc.assert(
    fc.property(fc.array(fc.array(endpoint)), (looks) => {
      const set = new EndpointSet();
      const known = new Map<string, object>();
      for (const endpoints of looks) {
        const before = new Set([...known.values()].map((one) => Object(one).address));
        const { changes, goneAddresses } = set.replace(endpoints);
        for (const change of changes) {
          if (change.kind === "added") known.set(change.endpoint.id, change.endpoint);
          else assert.ok(known.delete(change.id), "only what was known is removed");
        }
        const want = new Map(
          endpoints.map(({ id, address, labels }) => [id, { id, address, labels }]),
        );
        assert.deepEqual(new Set(known.values()), new Set(want.values()));
        const after = new Set([...want.values()].map(({ address }) => address));
        assert.deepEqual(new Set(goneAddresses), before.difference(after));
      }
    }),
  );
});
