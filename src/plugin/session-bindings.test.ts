import assert from "node:assert/strict";
import test from "node:test";
import { endpointId } from "../core/brand.ts";
import { SessionBindings } from "./session-bindings.ts";

const [a, b] = [endpointId("a"), endpointId("b")];
const bindingsFor = (ttlMs = 100, sweepMs = 10) => new SessionBindings({ ttlMs, sweepMs });

test("session-bindings: a binding is found until its time since the last use is over", () => {
  const bindings = bindingsFor();
  bindings.bind("s", a, 0);
  assert.equal(bindings.find("s", 100), a);
  assert.equal(bindings.find("s", 101), undefined);
  bindings.bind("s", b, 90);
  assert.equal(bindings.find("s", 190), b);
  assert.equal(bindings.find("other", 0), undefined);
  assert.equal(bindings.count, 1);
});

test("session-bindings: expired ones are removed once a sweep is due", () => {
  const bindings = bindingsFor(100, 50);
  bindings.bind("old", a, 0);
  bindings.bind("kept", a, 80);
  // The first sweep was at 0, the second at 80, so the third is due at 130.
  bindings.bind("new", a, 129);
  assert.equal(bindings.count, 3);
  bindings.bind("new", a, 130);
  assert.equal(bindings.count, 2);
  assert.equal(bindings.find("kept", 130), a);
});

test("session-bindings: a used binding outlives an older one that was bound later", () => {
  const bindings = bindingsFor(100, 1);
  bindings.bind("used", a, 0);
  bindings.bind("idle", a, 10);
  bindings.bind("used", a, 90);
  bindings.bind("new", b, 120);
  assert.equal(bindings.count, 2);
  assert.equal(bindings.find("used", 120), a);
});

test("session-bindings: of more than 100,000 the least recently used goes", () => {
  const bindings = bindingsFor(1e9, 1e9);
  for (let i = 0; i < 100_000; i++) bindings.bind(`s${i}`, a, i);
  bindings.bind("s0", a, 100_000);
  bindings.bind("one more", b, 100_001);
  assert.equal(bindings.count, 100_000);
  assert.equal(bindings.find("s0", 100_001), a);
  assert.equal(bindings.find("s1", 100_001), undefined);
  assert.equal(bindings.find("s2", 100_001), a);
});

test("session-bindings: another instance's bindings are taken over with their age", () => {
  const before = bindingsFor();
  before.bind("s", a, 0);
  const after = bindingsFor(50);
  after.adopt(before);
  before.bind("late", a, 10);
  assert.equal(after.find("s", 50), a);
  assert.equal(after.find("s", 51), undefined);
  assert.equal(after.count, 1);
});
