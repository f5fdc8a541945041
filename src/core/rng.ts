/** Port for randomness; every draw of a decision comes from a stream of its own. */
export interface Rng {
  /** Uniform in [0, 1). */
  next(): number;
  /** Uniform integer in [0, bound); `bound` is a positive safe integer. */
  below(bound: number): number;
}

/**
 * Small fast generator (sfc32, PractRand-clean) that can be re-seeded without allocation, so that
 * each decision draws from a stream derived from (seed, decision number) and replays agree.
 */
export class SeededRng implements Rng {
  #a = 0;
  #b = 0;
  #c = 0;
  #counter = 1;

  constructor(seed: number, stream = 0) {
    this.reseed(seed, stream);
  }

  /** Starts the stream `stream` of `seed`; both are safe integers. */
  reseed(seed: number, stream: number): void {
    this.#a = seed | 0;
    this.#b = stream | 0;
    this.#c = (Math.floor(seed / 4294967296) ^ Math.imul(Math.floor(stream / 4294967296), 31)) | 0;
    this.#counter = 1;
    // Twelve rounds spread a seed that differs in one bit over the whole state.
    for (let round = 0; round < 12; round++) this.#step();
  }

  next(): number {
    return this.#step() / 4294967296;
  }

  below(bound: number): number {
    return Math.floor(
      (((this.#step() >>> 5) * 67108864 + (this.#step() >>> 6)) / 9007199254740992) * bound,
    );
  }

  #step(): number {
    const mixed = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + mixed) | 0;
    return mixed >>> 0;
  }
}
