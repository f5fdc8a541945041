import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { HashChains } from "./hash-chains.ts";

function idsOf(chains: HashChains, hash: number): readonly number[] {
  const ids: number[] = [];
  for (let id = chains.first(hash); id !== 0; id = chains.next(id)) ids.push(id);
  return ids;
}

test("hash-chains: finds what was added and not removed, also in a larger one that follows", () => {
  const step = fc.record({ id: fc.integer({ min: 1, max: 12 }), isGrowth: fc.boolean() });
  const hashes = fc.array(fc.integer(), { minLength: 13, maxLength: 13 });
  fc.assert(
    fc.property(hashes, fc.array(step, { maxLength: 60 }), (hashOf, taken) => {
      let chains = HashChains.alone(12);
      const present = new Set<number>();
      let capacity = 12;
      for (const { id, isGrowth } of taken) {
        const hash = hashOf[id] as number;
        if (isGrowth) {
          capacity += 9;
          const larger = HashChains.alone(capacity);
          larger.follow(chains, (each) => hashOf[each] as number);
          chains = larger;
        } else if (present.delete(id)) chains.remove(hash, id);
        else {
          present.add(id);
          chains.add(hash, id);
        }
        for (let other = 1; other <= 12; other++) {
          const found = idsOf(chains, hashOf[other] as number).includes(other);
          assert.equal(found, present.has(other));
        }
      }
    }),
  );
});

test("hash-chains: ids of one bucket are removed from any place in it", () => {
  for (const gone of [1, 2, 3]) {
    const chains = HashChains.alone(3);
    for (const id of [1, 2, 3]) chains.add(-5, id);
    chains.remove(-5, gone);
    assert.deepEqual(
      [...idsOf(chains, -5)].sort(),
      [1, 2, 3].filter((id) => id !== gone),
    );
  }
});

test("hash-chains: memory is at most three words an id", () => {
  const { sizeBytes } = HashChains.alone(1000);
  assert.ok(sizeBytes <= 12 * 1001, `${sizeBytes} bytes`);
});

test("hash-chains: none is found after clearing", () => {
  const chains = HashChains.alone(3);
  chains.add(1, 2);
  chains.clear();
  assert.deepEqual(idsOf(chains, 1), []);
});
