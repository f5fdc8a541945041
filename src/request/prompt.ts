import { type BlockHasher, chainSeed, type HashPair } from "./block-hasher.ts";

/** Chained hashes of a prompt's first blocks, as lo,hi pairs. */
export interface BlockChain {
  readonly hashes: Uint32Array;
  readonly blockCount: number;
}

/** What routing needs of a prompt: its size and its blocks, not its text. A trace can stand in for bytes. */
export interface Prompt {
  /** UTF-8 bytes of the flattened prompt. */
  readonly sizeBytes: number;
  /** Chain of the full blocks of `blockBytes` bytes, at most `maxBlocks` of them. */
  blocks(blockBytes: number, maxBlocks: number): BlockChain;
}

/** Text of a prompt, wherever it lies. */
export interface PromptText {
  readonly sizeBytes: number;
  /** Its bytes, which may be put together for this call. */
  bytes(): Uint8Array;
  /** As `BlockHasher.hash`, over the whole text. */
  hash(blockBytes: number, seed: HashPair, out: Uint32Array): number;
}

/** What a prompt's chain is made with. */
export interface BytesPromptOptions {
  readonly hasher: BlockHasher;
  readonly model: string;
  readonly cacheSalt: string | undefined;
}

interface KnownChain extends BlockChain {
  readonly blockBytes: number;
  /** As far as was asked for. */
  readonly maxBlocks: number;
}

/** A prompt that was received as bytes; chains are hashed once per block size and kept with the request. */
export class BytesPrompt implements Prompt {
  readonly #text: PromptText;
  readonly #seed: HashPair;
  readonly #options: BytesPromptOptions;
  /** One or two; a Map for each prompt would outlive it among old garbage. */
  readonly #chains: KnownChain[] = [];

  constructor(text: Uint8Array | PromptText, options: BytesPromptOptions) {
    this.#text = text instanceof Uint8Array ? new HeldText(text, options.hasher) : text;
    this.#options = options;
    this.#seed = chainSeed(options.model, options.cacheSalt);
  }

  get sizeBytes(): number {
    return this.#text.sizeBytes;
  }

  get bytes(): Uint8Array {
    return this.#text.bytes();
  }

  get cacheSalt(): string | undefined {
    return this.#options.cacheSalt;
  }

  /** The first bytes as a prompt of their own, with the same chain. */
  prefix(sizeBytes: number): BytesPrompt {
    return new BytesPrompt(this.bytes.subarray(0, sizeBytes), this.#options);
  }

  /** The same bytes for another model: what one model has cached is no use to the other. */
  forModel(model: string): BytesPrompt {
    return new BytesPrompt(this.#text, { ...this.#options, model });
  }

  blocks(blockBytes: number, maxBlocks: number): BlockChain {
    for (const known of this.#chains) {
      if (known.blockBytes !== blockBytes || known.maxBlocks < maxBlocks) continue;
      return clip(known, maxBlocks);
    }
    const room = Math.min(Math.floor(this.sizeBytes / blockBytes), maxBlocks);
    const hashes = new Uint32Array(2 * room);
    const blockCount = this.#text.hash(blockBytes, this.#seed, hashes);
    const chain = { hashes, blockCount, blockBytes, maxBlocks };
    this.#chains.push(chain);
    return chain;
  }
}

class HeldText implements PromptText {
  readonly #bytes: Uint8Array;
  readonly #hasher: BlockHasher;

  constructor(bytes: Uint8Array, hasher: BlockHasher) {
    this.#bytes = bytes;
    this.#hasher = hasher;
  }

  get sizeBytes(): number {
    return this.#bytes.length;
  }

  bytes(): Uint8Array {
    return this.#bytes;
  }

  hash(blockBytes: number, seed: HashPair, out: Uint32Array): number {
    return this.#hasher.hash(this.#bytes, 0, this.#bytes.length, blockBytes, seed, out);
  }
}

function clip(chain: BlockChain, maxBlocks: number): BlockChain {
  if (chain.blockCount <= maxBlocks) return chain;
  return { hashes: chain.hashes.subarray(0, 2 * maxBlocks), blockCount: maxBlocks };
}
