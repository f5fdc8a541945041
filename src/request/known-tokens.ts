import type { BlockKeys, HashPair } from "./block-hasher.ts";
import type { PromptTokens } from "./inference-request.ts";
import type { BlockChain } from "./prompt.ts";

/** What a prompt's tokens are known from. */
export interface KnownTokensOptions {
  readonly keys: BlockKeys;
  /** Model or LoRA adapter whose cache they would be found in. */
  readonly model: string;
  readonly cacheSalt: string | undefined;
  readonly isWhole: boolean;
  /** Bytes of the prompt's text, from which the rest is estimated. */
  readonly textBytes: number;
}

/** Leading tokens of a prompt, four bytes each; chains are hashed once per block size. */
export class KnownTokens implements PromptTokens {
  readonly count: number;
  readonly isWhole: boolean;
  readonly sizeBytes: number;
  readonly #bytes: Uint8Array;
  readonly #keys: BlockKeys;
  readonly #seed: HashPair;
  readonly #chains = new Map<number, BlockChain>();

  /** `bytes` are token ids, little-endian; a partial one at the end counts, but fills no block. */
  constructor(bytes: Uint8Array, options: KnownTokensOptions) {
    this.count = Math.ceil(bytes.length / 4);
    this.isWhole = options.isWhole;
    this.sizeBytes = options.isWhole ? bytes.length : Math.max(bytes.length, options.textBytes);
    this.#bytes = bytes;
    this.#keys = options.keys;
    this.#seed = options.keys.seed(options.model, options.cacheSalt);
  }

  blocks(blockBytes: number, maxBlocks: number): BlockChain {
    const chain = this.#chains.get(blockBytes) ?? this.#hash(blockBytes);
    if (chain.blockCount <= maxBlocks) return chain;
    return { hashes: chain.hashes.subarray(0, 2 * maxBlocks), blockCount: maxBlocks };
  }

  #hash(blockBytes: number): BlockChain {
    const bytes = this.#bytes;
    const hashes = new Uint32Array(2 * Math.floor(bytes.length / blockBytes));
    const { hasher } = this.#keys;
    const blockCount = hasher.hash(bytes, 0, bytes.length, blockBytes, this.#seed, hashes);
    const chain = { hashes, blockCount };
    this.#chains.set(blockBytes, chain);
    return chain;
  }
}
