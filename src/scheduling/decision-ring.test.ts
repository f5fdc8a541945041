import assert from "node:assert/strict";
import test from "node:test";
import { storeWith } from "../../test/fixtures/endpoint-with.ts";
import { modelName, profileName, requestId } from "../core/brand.ts";
import { DecisionRing } from "./decision-ring.ts";
import { ProfileRun } from "./profile-run.ts";

const facts = {
  id: requestId("r"),
  model: modelName("m"),
  kind: "chat",
  isStreaming: false,
  promptBytes: 1,
  priority: 0,
  bodyBytes: 2,
} as const;

/** Bytes that a decision over one candidate takes, without scorers: ten numbers. */
const ROW_BYTES = 80;

function ringOf(capacity: number, sizeBytesMax = 1e9) {
  const ring = new DecisionRing({ pool: "p", capacity, sizeBytesMax });
  const store = storeWith([{}, {}, {}, {}]);
  const picker = { name: "picker", type: "picker", instance: {} };
  const run = new ProfileRun({
    name: profileName("default"),
    filters: [],
    scorers: [],
    picker,
  });
  const write = (candidateCount: number): number =>
    ring.write((record, number) => {
      record.begin(number, 10 * number, facts);
      run.begin(Int32Array.from([0, 1, 2, 3]), candidateCount);
      record.addRun(run, store);
    });
  return { ring, write };
}

const numbers = (ring: DecisionRing): readonly number[] =>
  ring.latest(100).map((decision) => decision.number);

test("decision-ring: an empty ring has nothing to read", () => {
  const { ring } = ringOf(4);
  assert.equal(ring.count, 0);
  assert.equal(ring.nextNumber, 1);
  assert.deepEqual(ring.latest(10), []);
  for (const number of [-1, 0, 1]) assert.equal(ring.read(number), undefined);
});

test("decision-ring: numbers rise from 1 and name the pool", () => {
  const { ring, write } = ringOf(4);
  assert.deepEqual([write(1), write(1)], [1, 2]);
  assert.equal(ring.read(2)?.id, "p.2");
  assert.equal(ring.read(2)?.atMs, 20);
  assert.equal(ring.nextNumber, 3);
});

test("decision-ring: a full ring gives up its oldest decision", () => {
  const { ring, write } = ringOf(3);
  for (let i = 0; i < 10; i++) write(1);
  assert.deepEqual(numbers(ring), [10, 9, 8]);
  assert.equal(ring.count, 3);
  assert.equal(ring.read(7), undefined);
  assert.equal(ring.read(11), undefined);
  assert.equal(ring.sizeBytes, 3 * ROW_BYTES);
});

test("decision-ring: a ring of one keeps the last decision", () => {
  const { ring, write } = ringOf(1);
  write(1);
  write(2);
  assert.deepEqual(numbers(ring), [2]);
  assert.equal(ring.read(2)?.profiles[0]?.candidates.length, 2);
});

test("decision-ring: a limit on reading takes the newest", () => {
  const { ring, write } = ringOf(8);
  for (let i = 0; i < 5; i++) write(1);
  assert.deepEqual(
    ring.latest(2).map((decision) => decision.number),
    [5, 4],
  );
  assert.deepEqual(ring.latest(0), []);
});

test("decision-ring: older decisions go when the bytes are used up", () => {
  const { ring, write } = ringOf(100, 4 * ROW_BYTES);
  for (let i = 0; i < 10; i++) {
    write(1);
    assert.ok(ring.sizeBytes <= 4 * ROW_BYTES);
  }
  assert.deepEqual(numbers(ring), [10, 9, 8, 7]);
  write(3);
  assert.deepEqual(numbers(ring), [11, 10]);
  assert.equal(ring.sizeBytes, 4 * ROW_BYTES);
});

test("decision-ring: the newest decision stays even when it is larger than the limit", () => {
  const { ring, write } = ringOf(100, ROW_BYTES);
  write(1);
  write(4);
  assert.deepEqual(numbers(ring), [2]);
  write(1);
  assert.deepEqual(numbers(ring), [3]);
  assert.equal(ring.sizeBytes, ROW_BYTES);
});

test("decision-ring: a row that is used again shows nothing of its former decision", () => {
  const { ring, write } = ringOf(2);
  write(4);
  const first = ring.record(1);
  if (first !== undefined) {
    first.how = "completed";
    first.state = "closed";
    first.rejection = { reason: "overloaded", message: "x" };
  }
  write(4);
  write(1);
  const third = ring.read(3);
  assert.deepEqual([third?.how, third?.state, third?.rejection], [null, "open", null]);
  assert.equal(third?.profiles.length, 1);
  assert.equal(third?.profiles[0]?.candidates.length, 1);
});
