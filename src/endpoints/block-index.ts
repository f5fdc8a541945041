/** Which endpoint holds which prompt blocks; the index of what was routed and that of KV events share it. */
export interface BlockIndex {
  /**
   * Writes for every slot how many leading blocks of the chain it holds without a gap.
   * `hashes` are lo,hi pairs; `matchedBySlot` has one entry a slot.
   */
  match(hashes: Uint32Array, blocks: number, matchedBySlot: Int32Array): void;
  /** Notes that the slot holds the chain, most recently used; a full slot forgets its oldest leaf blocks. */
  record(hashes: Uint32Array, blocks: number, slot: number): void;
  /** Forgets all blocks of the slot. */
  purge(slot: number): void;
  /** Memory held. */
  readonly sizeBytes: number;
  /** Blocks known for the slot. */
  blockCount(slot: number): number;
}

/** What plugins see of the index that engines' KV events feed. */
export interface KvBlockView {
  /** Whether the endpoint in the slot reports its blocks by KV events. */
  isReporting(slot: number): boolean;
  /**
   * Writes for every slot the share of the prompt's full blocks that the endpoint holds without a gap,
   * 0..1; NaN for a slot that reports none; 0 for a prompt shorter than a block.
   */
  matchRatios(view: PromptView, ratioBySlot: Float64Array): void;
  /**
   * Writes for every slot how many bytes of the prompt, four a token, lie in such blocks; one that is
   * held off the GPU counts less. NaN for a slot that reports none.
   */
  matchedBytes(view: PromptView, bytesBySlot: Float64Array): void;
  /**
   * Counts the prompt's blocks as held by the slot for `ttlMs`, because the request was sent there and the
   * engine's own word comes later. What the engine says meanwhile stands.
   */
  credit(view: PromptView, slot: number, ttlMs: number): void;
}

/** A request as the index sees it; `InferenceRequest` is one. */
export interface PromptView {
  readonly prompt: PromptBlocks;
  /** The engine's own tokens, four bytes each; absent where the prompt's bytes are its tokens. */
  readonly tokens?: PromptBlocks | undefined;
}

/** The part of a prompt that the index needs; `request/prompt.ts` implements it. */
export interface PromptBlocks {
  readonly sizeBytes: number;
  blocks(
    blockBytes: number,
    maxBlocks: number,
  ): { readonly hashes: Uint32Array; readonly blockCount: number };
}
