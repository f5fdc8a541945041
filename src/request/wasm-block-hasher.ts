import type { BlockHasher, HashPair } from "./block-hasher.ts";
import { createRequestInstance, growMemory } from "./request-instance.ts";

/** Prompt bytes that are hashed in one call; a longer block is a call of its own. */
const WINDOW_BYTES = 262_144;
/** A hash, and the room behind a block that the module writes to. */
const HASH_BYTES = 8;

/** Chained XXH64 in WebAssembly; equal for all instances. Each has half a MiB of memory, reused by every call. */
export class WasmBlockHasher implements BlockHasher {
  readonly #wasm = createRequestInstance();
  readonly #start = this.#wasm.freeFrom();
  #windowBytes = WINDOW_BYTES;
  #memory: Uint8Array = new Uint8Array(0);
  #hashes: Uint32Array = new Uint32Array(0);

  constructor() {
    this.#layOut();
  }

  hash(
    bytes: Uint8Array,
    start: number,
    end: number,
    blockBytes: number,
    seed: HashPair,
    out: Uint32Array,
  ): number {
    const blocks = Math.min(Math.floor((end - start) / blockBytes), out.length >>> 1);
    if (!(blocks > 0)) return 0;
    // Bounded by the longest prompt: a block that is longer than that is never full.
    if (blockBytes > this.#windowBytes) this.#widen(blockBytes);
    const blocksAtOnce = Math.floor(this.#windowBytes / Math.max(blockBytes, HASH_BYTES));
    let { lo, hi } = seed;
    for (let done = 0; done < blocks; done += blocksAtOnce) {
      const count = Math.min(blocksAtOnce, blocks - done);
      const from = start + done * blockBytes;
      this.#memory.set(bytes.subarray(from, from + count * blockBytes), this.#start);
      this.#wasm.chainBlocks(this.#start, count, blockBytes, lo, hi, this.#hashesAt);
      out.set(this.#hashes.subarray(0, 2 * count), 2 * done);
      lo = this.#hashes[2 * count - 2] as number;
      hi = this.#hashes[2 * count - 1] as number;
    }
    return blocks;
  }

  get #hashesAt(): number {
    return this.#start + this.#windowBytes + HASH_BYTES;
  }

  #widen(blockBytes: number): void {
    this.#windowBytes = Math.ceil(blockBytes / HASH_BYTES) * HASH_BYTES;
    this.#layOut();
  }

  #layOut(): void {
    const { memory } = this.#wasm;
    growMemory(memory, this.#hashesAt + this.#windowBytes);
    this.#memory = new Uint8Array(memory.buffer);
    this.#hashes = new Uint32Array(memory.buffer, this.#hashesAt, this.#windowBytes >>> 2);
  }
}
