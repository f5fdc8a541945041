import { BYTES_PER_TOKEN, estimatingTokenizer } from "../core/tokenizer.ts";
import type { EnginePrompt } from "../engine/engine-core.ts";
import { type BlockHasher, chainSeed } from "../request/block-hasher.ts";

/** What the keys of a prompt's blocks depend on besides its tokens. */
export interface PromptFacts {
  readonly modelName: string;
  readonly cacheSalt: string | undefined;
  readonly blockTokens: number;
  /** KV events carry token ids; without them the ids need not be kept. */
  readonly isTokenIdsKept: boolean;
  readonly hasher: BlockHasher;
}

/** A prompt as the engine takes it, and the key its answer's length and words are drawn by. */
export interface KeyedPrompt {
  readonly prompt: EnginePrompt;
  readonly promptKey: number;
}

/** Tokens of flattened prompt bytes, by the estimate that the router shares. */
export function promptTokens(bytes: Uint8Array): number {
  return Math.ceil(bytes.length / BYTES_PER_TOKEN);
}

/** Turns the flattened bytes of one prompt into tokens and the chained keys of its full blocks. */
export function enginePrompt(bytes: Uint8Array, facts: PromptFacts): KeyedPrompt {
  const { cacheSalt, blockTokens } = facts;
  const tokenIds = estimatingTokenizer.tokenize(bytes);
  // The padded bytes are the tokens' own, so a last block that ends in padding is full as well.
  const padded = new Uint8Array(tokenIds.buffer);
  const blockKeys = chainKeys(padded, blockTokens * BYTES_PER_TOKEN, facts);
  return {
    prompt: {
      tokenCount: tokenIds.length,
      blockKeys,
      ...(facts.isTokenIdsKept ? { tokenIds } : {}),
      ...(cacheSalt === undefined ? {} : { cacheSalt }),
    },
    promptKey: chainKeys(padded, padded.length, { ...facts, cacheSalt: undefined })[0] ?? 0,
  };
}

function chainKeys(
  bytes: Uint8Array,
  blockBytes: number,
  { modelName, cacheSalt, hasher }: PromptFacts,
): Float64Array {
  const hashes = new Uint32Array(2 * Math.floor(bytes.length / blockBytes));
  const seed = chainSeed(modelName, cacheSalt);
  const blocks = hasher.hash(bytes, 0, bytes.length, blockBytes, seed, hashes);
  const keys = new Float64Array(blocks);
  for (let block = 0; block < blocks; block++) {
    const lo = hashes[2 * block] as number;
    const hi = hashes[2 * block + 1] as number;
    // 53 bits: what a float64 holds exactly.
    keys[block] = lo + (hi & 0x1fffff) * 4294967296;
  }
  return keys;
}
