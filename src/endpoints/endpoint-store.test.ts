import assert from "node:assert/strict";
import test from "node:test";
import { endpointWith, storeWith } from "../../test/fixtures/endpoint-with.ts";
import { endpointId } from "../core/brand.ts";
import { EndpointStore } from "./endpoint-store.ts";
import { NUMERIC_ATTRIBUTES, waitingQueueDepth } from "./numeric-attribute.ts";

function readyNames(store: EndpointStore): readonly string[] {
  const slots = new Int32Array(store.slotCount);
  const count = store.readySlots(slots);
  return [...slots.subarray(0, count)].map((slot) => store.id(slot));
}

test("endpoint-store: an added endpoint is unknown in every column and not ready", () => {
  const store = new EndpointStore();
  assert.deepEqual(store.apply({ kind: "added", endpoint: endpointWith({ id: "a" }) }), {
    kind: "added",
    slot: 0,
  });
  for (const attribute of NUMERIC_ATTRIBUTES) assert.ok(Number.isNaN(store.column(attribute)[0]));
  assert.equal(store.isPresent(0), true);
  assert.equal(store.isReady(0), false);
  assert.deepEqual(readyNames(store), []);
});

test("endpoint-store: a second word about a known endpoint updates it and keeps its figures", () => {
  const store = storeWith([{ id: "a", queue: 4 }]);
  const endpoint = endpointWith({ id: "a", role: "decode" });
  assert.deepEqual(store.apply({ kind: "added", endpoint }), { kind: "updated", slot: 0 });
  assert.deepEqual(store.labels(0), endpoint.labels);
  assert.equal(store.column(waitingQueueDepth)[0], 4);
  assert.equal(store.isReady(0), true);
  assert.equal(store.generation(0), 1);
});

test("endpoint-store: a freed slot goes to the next endpoint with a higher generation", () => {
  const store = storeWith([{ id: "a", queue: 4 }, { id: "b" }]);
  assert.deepEqual(store.apply({ kind: "removed", id: endpointId("a") }), {
    kind: "removed",
    slot: 0,
  });
  assert.deepEqual([store.isPresent(0), store.isReady(0)], [false, false]);
  assert.equal(store.slotOf(endpointId("a")), undefined);
  assert.deepEqual(readyNames(store), ["b"]);
  store.apply({ kind: "added", endpoint: endpointWith({ id: "c" }) });
  assert.equal(store.slotOf(endpointId("c")), 0);
  assert.equal(store.generation(0), 2);
  assert.ok(Number.isNaN(store.column(waitingQueueDepth)[0]));
  assert.equal(store.slotCount, 2);
});

test("endpoint-store: an unknown endpoint's removal is nothing", () => {
  assert.equal(storeWith([{}]).apply({ kind: "removed", id: endpointId("x") }), undefined);
});

test("endpoint-store: columns keep their values when the table grows", () => {
  const store = storeWith(Array.from({ length: 40 }, (_, index) => ({ queue: index })));
  assert.equal(store.slotCount, 40);
  assert.deepEqual(
    [...store.column(waitingQueueDepth).subarray(0, 40)],
    Array.from({ length: 40 }, (_, index) => index),
  );
  assert.equal(readyNames(store).length, 40);
});

test("endpoint-store: readiness changes once, and never for a free slot", () => {
  const store = storeWith([{ id: "a" }]);
  assert.equal(store.setReady(0, true), false);
  assert.equal(store.setReady(0, false), true);
  store.apply({ kind: "removed", id: endpointId("a") });
  assert.equal(store.setReady(0, true), false);
  assert.deepEqual(readyNames(store), []);
});

test("endpoint-store: a slot that never was is a programmer's error", () => {
  assert.throws(() => storeWith([{}]).id(1), { message: "no slot 1" });
});

test("numeric-attribute: each column has the place that its attribute names", () => {
  assert.deepEqual(
    NUMERIC_ATTRIBUTES.map(({ place }) => place),
    NUMERIC_ATTRIBUTES.map((_, at) => at),
  );
});
