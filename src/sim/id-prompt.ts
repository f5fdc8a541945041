import { BYTES_PER_TOKEN } from "../core/tokenizer.ts";
import type { EnginePrompt } from "../engine/engine-core.ts";
import { mixKeys } from "../engine/mix-keys.ts";
import { type BlockHasher, chainSeed, type HashPair } from "../request/block-hasher.ts";
import type { BlockChain, Prompt } from "../request/prompt.ts";

/** A stretch of a prompt: equal ids are equal text, so prompts share what their first segments share. */
export interface PromptSegment {
  /** Integer below 2^53. */
  readonly id: number;
  readonly tokenCount: number;
}

/** Tokens in the unit that is chained; every other block size is derived from these chains. */
const ATOM_TOKENS = 16;
const ATOM_BYTES = ATOM_TOKENS * BYTES_PER_TOKEN;
const WORD = 4294967296;

/**
 * A prompt without text. The router's block hashes and the engine's block keys are the same chain of
 * numbers, so both see the same prefixes, as they do where prompts are bytes.
 */
export class IdPrompt implements Prompt {
  readonly tokenCount: number;
  readonly #segments: readonly PromptSegment[];
  /** Key of the prefix that ends with each whole atom, 53 bits. */
  readonly #keys: Float64Array;
  readonly #seedKey: number;

  constructor(segments: readonly PromptSegment[], model: string) {
    this.#segments = segments;
    this.tokenCount = segments.reduce((sum, segment) => sum + segment.tokenCount, 0);
    this.#seedKey = keyOf(chainSeed(model, undefined));
    this.#keys = this.#chain();
  }

  get sizeBytes(): number {
    return this.tokenCount * BYTES_PER_TOKEN;
  }

  blocks(blockBytes: number, maxBlocks: number): BlockChain {
    const blockCount = Math.min(Math.floor(this.sizeBytes / blockBytes), maxBlocks);
    const hashes = new Uint32Array(2 * blockCount);
    for (let block = 0; block < blockCount; block++) {
      const key = this.#prefixKey(Math.ceil(((block + 1) * blockBytes) / BYTES_PER_TOKEN));
      writeKey(hashes, block, key);
    }
    return { hashes, blockCount };
  }

  /** The prompt as an engine with this block size takes it; token ids are made for KV events only. */
  toEnginePrompt(blockTokens: number, isTokenIdsNeeded: boolean): EnginePrompt {
    const { tokenCount } = this;
    const blockCount = Math.floor(tokenCount / blockTokens);
    let blockKeys = this.#keys;
    if (blockTokens !== ATOM_TOKENS) {
      blockKeys = new Float64Array(blockCount);
      for (let block = 0; block < blockCount; block++) {
        blockKeys[block] = this.#prefixKey((block + 1) * blockTokens);
      }
    }
    if (!isTokenIdsNeeded) return { tokenCount, blockKeys };
    return { tokenCount, blockKeys, tokenIds: this.#tokenIds() };
  }

  #chain(): Float64Array {
    const keys = new Float64Array(Math.floor(this.tokenCount / ATOM_TOKENS));
    let key = this.#seedKey;
    this.#eachAtom((atom, content) => {
      key = mixKeys(key, content);
      keys[atom] = key;
    });
    return keys;
  }

  /** Key of the first `tokens` tokens; inside an atom it is mixed from what is there of it. */
  #prefixKey(tokens: number): number {
    const atoms = Math.floor(tokens / ATOM_TOKENS);
    const before = atoms === 0 ? this.#seedKey : (this.#keys[atoms - 1] as number);
    const start = atoms * ATOM_TOKENS;
    return start === tokens ? before : mixKeys(before, this.#content(start, tokens));
  }

  #tokenIds(): Uint32Array {
    const tokenIds = new Uint32Array(this.tokenCount);
    this.#eachAtom((atom, content) => {
      tokenIds[atom * ATOM_TOKENS] = content >>> 0;
      tokenIds[atom * ATOM_TOKENS + 1] = Math.floor(content / WORD);
    });
    return tokenIds;
  }

  /** Calls with every whole atom and a key of its tokens. */
  #eachAtom(use: (atom: number, content: number) => void): void {
    const atomCount = Math.floor(this.tokenCount / ATOM_TOKENS);
    let atom = 0;
    let start = 0;
    for (const { id, tokenCount } of this.#segments) {
      const end = start + tokenCount;
      for (; atom < atomCount && atom * ATOM_TOKENS < end; atom++) {
        const at = atom * ATOM_TOKENS;
        const isInside = at >= start && at + ATOM_TOKENS <= end;
        use(atom, isInside ? mixKeys(id, at - start) : this.#content(at, at + ATOM_TOKENS));
      }
      start = end;
    }
  }

  /** Key of the tokens from `from` to `to`, which may belong to several segments. */
  #content(from: number, to: number): number {
    let key = to - from;
    let start = 0;
    for (const { id, tokenCount } of this.#segments) {
      const end = start + tokenCount;
      const begin = Math.max(from, start);
      const stop = Math.min(to, end);
      if (begin < stop) key = mixKeys(mixKeys(key, id), mixKeys(begin - start, stop - start));
      if (end >= to) break;
      start = end;
    }
    return key;
  }
}

/** Chains token ids as `IdPrompt` wrote them, for the index of engines' KV events. */
export const idBlockHasher: BlockHasher = {
  hash(bytes, start, end, blockBytes, seed, out) {
    const blocks = Math.min(Math.floor((end - start) / blockBytes), out.length >>> 1);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let key = keyOf(seed);
    for (let block = 0; block < blocks; block++) {
      const blockStart = start + block * blockBytes;
      for (let at = blockStart; at < blockStart + blockBytes; at += ATOM_BYTES) {
        const content = view.getUint32(at, true) + view.getUint32(at + 4, true) * WORD;
        key = mixKeys(key, content);
      }
      writeKey(out, block, key);
    }
    return blocks;
  },
};

/** Whether `idBlockHasher` can chain blocks of that size. */
export function isWholeAtoms(blockTokens: number): boolean {
  return blockTokens % ATOM_TOKENS === 0;
}

function keyOf({ lo, hi }: HashPair): number {
  return lo + (hi & 0x1fffff) * WORD;
}

function writeKey(hashes: Uint32Array, block: number, key: number): void {
  hashes[2 * block] = key >>> 0;
  hashes[2 * block + 1] = Math.floor(key / WORD);
}
