import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { RunArena } from "./run-arena.ts";
import { WordSpace } from "./word-space.ts";

function arenaFor(blocks: number): RunArena {
  const measured = new WordSpace();
  new RunArena(measured, blocks);
  return new RunArena(new WordSpace(new ArrayBuffer(measured.sizeBytes)), blocks);
}

/** Takes all that is wanted, in as many pieces as it comes. */
function takeAll(arena: RunArena, wanted: number): readonly (readonly [number, number])[] {
  const pieces: [number, number][] = [];
  for (let left = wanted; left > 0; left -= arena.takenBlocks) {
    pieces.push([arena.take(left), arena.takenBlocks]);
  }
  return pieces;
}

test("run-arena: no block is taken twice, and what is given back is taken again", () => {
  const step = fc.record({
    wanted: fc.integer({ min: 1, max: 300 }),
    given: fc.nat(),
    cut: fc.nat(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80, size: "max" }), (taken) => {
      const arena = arenaFor(2000);
      const runs: (readonly [number, number])[] = [];
      const owned = new Set<number>();
      for (const { wanted, given, cut } of taken) {
        while (owned.size + wanted > 2000) {
          const [start, length] = runs.splice(given % runs.length, 1)[0] as readonly [
            number,
            number,
          ];
          const kept = cut % length;
          arena.give(start + kept, length - kept);
          for (let block = start + kept; block < start + length; block++) owned.delete(block);
          if (kept > 0) runs.push([start, kept]);
        }
        for (const [start, length] of takeAll(arena, wanted)) {
          assert.ok(length > 0 && 2 * (start + length) <= arena.hashes.length);
          for (let block = start; block < start + length; block++) {
            assert.ok(!owned.has(block), `block ${block} is taken twice`);
            owned.add(block);
          }
          runs.push([start, length]);
        }
        assert.equal(arena.liveBlocks, owned.size);
      }
      // One block in seventeen is room, and bitmap words are whole.
      assert.ok(arena.hashes.length / 2 <= 2000 * (17 / 16) + 32);
    }),
  );
});

test("run-arena: a larger one that follows has the same blocks in the same places", () => {
  const small = arenaFor(10);
  const first = small.take(3);
  small.hashes.set([1, 2, 3, 4, 5, 6], 2 * first);
  const large = arenaFor(1000);
  large.follow(small);
  assert.deepEqual([...large.hashes.subarray(2 * first, 2 * first + 6)], [1, 2, 3, 4, 5, 6]);
  assert.equal(large.liveBlocks, 3);
  assert.ok(large.take(900) >= 3);
  assert.equal(large.takenBlocks, 900);
});

test("run-arena: neighbours that are given back one by one make room for one long run", () => {
  const arena = arenaFor(1000);
  const start = arena.take(900);
  for (let block = 0; block < 900; block++) arena.give(start + block, 1);
  arena.take(800);
  assert.equal(arena.takenBlocks, 800);
});

test("run-arena: a crowded one gives a run in pieces", () => {
  const arena = arenaFor(1000);
  const start = arena.take(960);
  for (let block = 0; block < 960; block += 3) arena.give(start + block, 2);
  takeAll(arena, 600);
  assert.equal(arena.liveBlocks, 920);
});

test("run-arena: a full one gives what is left, then nothing", () => {
  const arena = arenaFor(30);
  const pieces = [100, 100].map((wanted) => {
    arena.take(wanted);
    return arena.takenBlocks;
  });
  assert.deepEqual(pieces, [32, 0]);
  arena.clear();
  assert.equal(arena.liveBlocks, 0);
  arena.take(5);
  assert.equal(arena.takenBlocks, 5);
});
