import type { KvHoldings } from "./kv-holdings.ts";

/** Blocks of all credits that are open; the oldest end early beyond it (32 MiB of hashes). */
const CREDITED_BLOCKS_MAX = 4_000_000;

interface Credit {
  readonly holdings: KvHoldings;
  readonly hashes: Uint32Array;
  readonly blockCount: number;
  readonly untilMs: number;
}

/** Blocks that endpoints will hold by the router's own decisions, in the order in which these were made. */
export class KvCredits {
  readonly #blocksMax: number;
  #queue: (Credit | undefined)[] = [];
  #first = 0;
  #blockCount = 0;

  constructor(blocksMax: number = CREDITED_BLOCKS_MAX) {
    this.#blocksMax = blocksMax;
  }

  get sizeBytes(): number {
    return 8 * this.#blockCount;
  }

  add(holdings: KvHoldings, hashes: Uint32Array, blockCount: number, untilMs: number): void {
    for (let block = 0; block < blockCount; block++) {
      holdings.credit(hashes[2 * block] as number, hashes[2 * block + 1] as number, untilMs);
    }
    this.#queue.push({ holdings, hashes, blockCount, untilMs });
    this.#blockCount += blockCount;
    while (this.#blockCount > this.#blocksMax) this.#end(Number.POSITIVE_INFINITY);
  }

  /** Ends what is over. A shorter credit behind a longer one counts no more, and is forgotten with it. */
  expire(nowMs: number): void {
    while ((this.#queue[this.#first]?.untilMs ?? Number.POSITIVE_INFINITY) <= nowMs) {
      this.#end(nowMs);
    }
  }

  #end(nowMs: number): void {
    const credit = this.#queue[this.#first];
    if (credit === undefined) return;
    this.#queue[this.#first++] = undefined;
    if (2 * this.#first > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#first);
      this.#first = 0;
    }
    const { holdings, hashes, blockCount } = credit;
    this.#blockCount -= blockCount;
    for (let block = 0; block < blockCount; block++) {
      holdings.expire(hashes[2 * block] as number, hashes[2 * block + 1] as number, nowMs);
    }
  }
}
