import type { HashPair } from "./block-hasher.ts";
import { createRequestInstance, growMemory } from "./request-instance.ts";

const HASH_BYTES = 8;

/** XXH64 with seed 0 of single inputs. Instances have memory of their own, which the longest input sizes. */
export class Xxh64 {
  readonly #wasm = createRequestInstance();
  readonly #hashAt = this.#wasm.freeFrom();
  readonly #inputAt = this.#hashAt + HASH_BYTES;
  #memory: Uint8Array = new Uint8Array(0);
  #hash: Uint32Array = new Uint32Array(0);

  constructor() {
    this.#reach(0);
  }

  digest(bytes: Uint8Array): HashPair {
    if (this.#inputAt + bytes.length > this.#memory.length) this.#reach(bytes.length);
    this.#memory.set(bytes, this.#inputAt);
    this.#wasm.digest(this.#inputAt, bytes.length, this.#hashAt);
    return { lo: this.#hash[0] as number, hi: this.#hash[1] as number };
  }

  #reach(inputBytes: number): void {
    const { memory } = this.#wasm;
    growMemory(memory, this.#inputAt + inputBytes);
    this.#memory = new Uint8Array(memory.buffer);
    this.#hash = new Uint32Array(memory.buffer, this.#hashAt, 2);
  }
}
