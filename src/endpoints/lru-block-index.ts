import type { BlockIndex } from "./block-index.ts";
import { BlockLru } from "./block-lru.ts";

/**
 * One LRU of block keys an endpoint. A chain is recorded from its end, so that its first block is the
 * most recent and eviction takes leaves first: what is left of a prompt is always a prefix.
 */
export class LruBlockIndex implements BlockIndex {
  readonly #blocksPerEndpoint: number;
  readonly #bySlot: (BlockLru | undefined)[] = [];

  constructor(blocksPerEndpoint: number) {
    this.#blocksPerEndpoint = blocksPerEndpoint;
  }

  match(hashes: Uint32Array, blocks: number, matchedBySlot: Int32Array): void {
    for (let slot = 0; slot < matchedBySlot.length; slot++) {
      const held = this.#bySlot[slot];
      matchedBySlot[slot] = held === undefined ? 0 : leadingBlocks(held, hashes, blocks);
    }
  }

  record(hashes: Uint32Array, blocks: number, slot: number): void {
    if (blocks === 0) return;
    let held = this.#bySlot[slot];
    if (held === undefined) {
      held = new BlockLru(this.#blocksPerEndpoint);
      this.#bySlot[slot] = held;
    }
    // Of a prompt longer than the capacity only the first blocks can stay.
    for (let block = Math.min(blocks, held.capacity) - 1; block >= 0; block--) {
      held.touch(hashes[2 * block] as number, hashes[2 * block + 1] as number);
    }
  }

  purge(slot: number): void {
    this.#bySlot[slot] = undefined;
  }

  get sizeBytes(): number {
    return this.#bySlot.reduce((sum, held) => sum + (held?.sizeBytes ?? 0), 0);
  }

  blockCount(slot: number): number {
    return this.#bySlot[slot]?.count ?? 0;
  }
}

function leadingBlocks(held: BlockLru, hashes: Uint32Array, blocks: number): number {
  for (let block = 0; block < blocks; block++) {
    if (!held.has(hashes[2 * block] as number, hashes[2 * block + 1] as number)) return block;
  }
  return blocks;
}
