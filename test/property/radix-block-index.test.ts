import assert from "node:assert/strict";
import process from "node:process";
import test from "node:test";
import fc from "fast-check";
import { SeededRng } from "../../src/core/rng.ts";
import {
  type IndexShape,
  indexBuffer,
  indexShape,
  sharedIndexBuffer,
} from "../../src/endpoints/block-index-memory.ts";
import { RadixBlockIndex } from "../../src/endpoints/radix-block-index.ts";
import { chainOf } from "../fixtures/chain-of.ts";

/** SWITCHYARD_INDEX_STEPS makes the churn longer, SWITCHYARD_INDEX_SEED repeats one. */
const STEPS = Number(process.env["SWITCHYARD_INDEX_STEPS"] ?? 500_000);
const SEED = Number(process.env["SWITCHYARD_INDEX_SEED"] ?? Math.floor(Math.random() * 2 ** 32));
const ROUNDS = 4;
/** Chains that the next ones go on from. */
const RECENT = 30;

/**
 * What one slot may hold: blocks in their order of use, oldest first. A chain is used from its end, so
 * that its first block is the newest. How many of the newest are left is the index's to say.
 */
class RecencyModel {
  readonly #order = new Map<number, true>();

  get size(): number {
    return this.#order.size;
  }

  use(chain: Uint32Array, blocks: number): void {
    for (let block = blocks - 1; block >= 0; block--) {
      const key = keyOf(chain, block);
      this.#order.delete(key);
      this.#order.set(key, true);
    }
  }

  keepNewest(count: number): void {
    for (const key of this.#order.keys()) {
      if (this.#order.size <= count) return;
      this.#order.delete(key);
    }
  }

  leadingBlocks(chain: Uint32Array): number {
    const blocks = chain.length / 2;
    for (let block = 0; block < blocks; block++) {
      if (!this.#order.has(keyOf(chain, block))) return block;
    }
    return blocks;
  }
}

/** 53 bits of the hash, exact in a number. */
function keyOf(chain: Uint32Array, block: number): number {
  return ((chain[2 * block + 1] as number) & 0x1fffff) * 2 ** 32 + (chain[2 * block] as number);
}

/** An index, or views of one that take turns, and its model, compared with every use. */
class Compared {
  readonly #views: readonly RadixBlockIndex[];
  #uses = 0;
  readonly #capacity: number;
  readonly #models: RecencyModel[];
  readonly #matched: Int32Array;

  constructor(capacity: number, slotCount: number, views: readonly RadixBlockIndex[]) {
    this.#views = views;
    this.#capacity = capacity;
    this.#models = Array.from({ length: slotCount }, () => new RecencyModel());
    this.#matched = new Int32Array(slotCount);
  }

  /** Records, and checks that eviction took the oldest blocks, and none while all fit. */
  record(chain: Uint32Array, slot: number): void {
    const kept = Math.min(chain.length / 2, this.#capacity);
    const model = this.#model(slot);
    const index = this.#nextView();
    index.record(chain, chain.length / 2, slot);
    model.use(chain, kept);
    const held = index.blockCount(slot);
    assert.ok(held <= this.#capacity, `${held} blocks of ${this.#capacity} in slot ${slot}`);
    if (model.size <= this.#capacity) assert.equal(held, model.size);
    else if (this.#models.length === 1) assert.equal(held, this.#capacity);
    assert.ok(held >= kept && held <= model.size);
    model.keepNewest(held);
  }

  purge(slot: number): void {
    const index = this.#nextView();
    index.purge(slot);
    this.#models[slot] = new RecencyModel();
    assert.equal(index.blockCount(slot), 0);
  }

  match(chain: Uint32Array): void {
    this.#matched.fill(-1);
    this.#nextView().match(chain, chain.length / 2, this.#matched);
    for (const [slot, model] of this.#models.entries()) {
      assert.equal(this.#matched[slot], model.leadingBlocks(chain), `slot ${slot}`);
    }
  }

  #nextView(): RadixBlockIndex {
    return this.#views[this.#uses++ % this.#views.length] as RadixBlockIndex;
  }

  #model(slot: number): RecencyModel {
    return this.#models[slot] as RecencyModel;
  }
}

// Three steps to choose from make chains share prefixes and part at every place.
const path = fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 1, maxLength: 12, size: "max" });
const use = fc.record({ path, slot: fc.nat({ max: 3 }), isPurge: fc.nat({ max: 9 }) });
const uses = fc.array(use, { minLength: 1, maxLength: 60, size: "max" });

for (const { name, capacity, slots } of [
  { name: "without eviction", capacity: fc.constant(10_000), slots: 4 },
  { name: "with eviction in one slot, block by block", capacity: fc.nat({ max: 20 }), slots: 1 },
  { name: "with eviction in slots that share runs", capacity: fc.nat({ max: 20 }), slots: 4 },
]) {
  test(`radix-block-index: a Map would answer the same ${name}`, () => {
    fc.assert(
      fc.property(capacity, uses, (room, taken) => {
        const compared = new Compared(room + 1, slots, [new RadixBlockIndex(room + 1)]);
        for (const { path: steps, slot, isPurge } of taken) {
          if (isPurge === 0) compared.purge(slot % slots);
          else compared.record(chainOf(steps), slot % slots);
          for (const { path: other } of taken) compared.match(chainOf(other));
        }
      }),
    );
  });
}

const shapes = [
  { capacity: 1, slotCount: 3, blocksMax: 5 },
  { capacity: 40, slotCount: 1, blocksMax: 30 },
  { capacity: 100, slotCount: 5, blocksMax: 40 },
  { capacity: 300, slotCount: 40, blocksMax: 60 },
  { capacity: 1000, slotCount: 2, blocksMax: 1500 },
];
for (const { capacity, slotCount, blocksMax } of shapes) {
  test(`radix-block-index: churn of ${slotCount} slots of ${capacity} blocks leaves nothing`, (t) => {
    t.diagnostic(`SWITCHYARD_INDEX_SEED=${SEED}`);
    const shared = new RadixBlockIndex(
      capacity,
      sharedIndexBuffer(indexShape(slotCount, capacity)),
    );
    const other = new RadixBlockIndex(capacity, shared.buffer);
    for (const views of [[new RadixBlockIndex(capacity)], [shared, other]]) {
      for (let round = 0; round < ROUNDS; round++) {
        const compared = new Compared(capacity, slotCount, views);
        churn(compared, { steps: stepsOf(blocksMax) / (2 * ROUNDS), slotCount, blocksMax });
        for (let slot = 0; slot < slotCount; slot++) compared.purge(slot);
        for (const view of views) {
          assert.deepEqual(view.occupancy, { blocks: 0, runs: 0, records: 0, sets: 0 });
        }
      }
    }
  });
}

/** So that each shape takes about the same time. */
function stepsOf(blocksMax: number): number {
  return Math.ceil((STEPS * 10) / (shapes.length * (10 + blocksMax)));
}

/** Neither runs nor sets are enough for what the slots could hold. */
const crowdedShapes: readonly IndexShape[] = [
  { slots: 3, blocks: 120, blocksPerSlot: 40, records: 20, sets: 3 },
  { slots: 40, blocks: 4000, blocksPerSlot: 100, records: 400, sets: 8 },
  { slots: 5, blocks: 500, blocksPerSlot: 300, records: 700, sets: 600 },
];
for (const shape of crowdedShapes) {
  const { slots: slotCount, blocksPerSlot } = shape;
  test(`radix-block-index: ${slotCount} crowded slots never credit what was not recorded`, (t) => {
    t.diagnostic(`SWITCHYARD_INDEX_SEED=${SEED}`);
    const index = new RadixBlockIndex(blocksPerSlot, indexBuffer(shape));
    const recorded = Array.from({ length: slotCount }, () => new RecencyModel());
    const matched = new Int32Array(slotCount);
    let credited = 0;
    const compared: Churned = {
      record(chain, slot) {
        index.record(chain, chain.length / 2, slot);
        recorded[slot]?.use(chain, chain.length / 2);
        assert.ok(index.blockCount(slot) <= blocksPerSlot);
      },
      purge(slot) {
        index.purge(slot);
        recorded[slot] = new RecencyModel();
        assert.equal(index.blockCount(slot), 0);
      },
      match(chain) {
        index.match(chain, chain.length / 2, matched);
        for (const [slot, model] of recorded.entries()) {
          assert.ok((matched[slot] as number) <= model.leadingBlocks(chain), `slot ${slot}`);
          credited += matched[slot] as number;
        }
      },
    };
    churn(compared, { steps: stepsOf(60) / 2, slotCount, blocksMax: 60 });
    assert.ok(credited > 0);
    for (let slot = 0; slot < slotCount; slot++) compared.purge(slot);
    assert.deepEqual(index.occupancy, { blocks: 0, runs: 0, records: 0, sets: 0 });
  });
}

/** What takes part in a churn. */
type Churned = Pick<Compared, "record" | "purge" | "match">;

/** Turns of conversations, branches, fresh prompts and endpoints that come and go. */
function churn(
  compared: Churned,
  load: { steps: number; slotCount: number; blocksMax: number },
): void {
  const rng = new SeededRng(SEED, load.slotCount);
  const recent: (readonly number[])[] = Array.from({ length: RECENT }, (_, at) => [at % 3]);
  for (let step = 0; step < load.steps; step++) {
    const base = recent[rng.below(RECENT)] as readonly number[];
    const kept = rng.below(4) === 0 ? rng.below(base.length + 1) : base.length;
    const added = Array.from({ length: rng.below(load.blocksMax / 2) }, () => rng.below(1000));
    const steps = [...base.slice(0, kept), ...added].slice(0, load.blocksMax);
    recent[rng.below(RECENT)] = rng.below(8) === 0 ? [rng.below(3)] : steps;
    const chain = chainOf(steps);
    compared.record(chain, rng.below(load.slotCount));
    if (rng.below(200) === 0) compared.purge(rng.below(load.slotCount));
    if (step % 4 === 0) compared.match(chainOf(recent[rng.below(RECENT)] as readonly number[]));
  }
}
