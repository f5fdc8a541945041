/** A cache line, so that no two parts share one. */
const ALIGNMENT_BYTES = 64;

/**
 * Hands out a buffer in parts. Whoever takes the same parts in the same order sees the same memory, in any
 * thread; without a buffer it only measures.
 */
export class WordSpace {
  readonly #buffer: ArrayBufferLike | undefined;
  #sizeBytes = 0;

  constructor(buffer?: ArrayBufferLike) {
    this.#buffer = buffer;
  }

  /** Bytes of the parts taken. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  take(words: number): Int32Array {
    const offset = this.#advance(4 * words);
    return this.#buffer === undefined
      ? new Int32Array(0)
      : new Int32Array(this.#buffer, offset, words);
  }

  takeNumbers(count: number): Float64Array {
    const offset = this.#advance(8 * count);
    return this.#buffer === undefined
      ? new Float64Array(0)
      : new Float64Array(this.#buffer, offset, count);
  }

  #advance(bytes: number): number {
    const offset = this.#sizeBytes;
    this.#sizeBytes = Math.ceil((offset + bytes) / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
    return offset;
  }
}
