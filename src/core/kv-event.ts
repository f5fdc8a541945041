/** Hash of a KV-cache block as its engine names it: opaque to everybody else. */
export type EngineBlockHash = number | bigint | string;

/** What an engine says about its KV-cache blocks; one shape for every transport (vLLM `KVEventBatch`). */
export type KvEvent =
  | {
      readonly kind: "stored";
      readonly blockHashes: readonly EngineBlockHash[];
      /** Block that the first of `blockHashes` follows; undefined at the start of a prompt. */
      readonly parentHash: EngineBlockHash | undefined;
      /**
       * `blockHashes.length * blockTokens` token ids, in order; empty where a block that is held already
       * moves to another medium.
       */
      readonly tokenIds: Uint32Array;
      readonly blockTokens: number;
      /** vLLM's extra key of the first block of a salted prompt. */
      readonly cacheSalt?: string;
      /** LoRA adapter of the blocks; absent for the base model. */
      readonly loraName?: string;
      /** Where the blocks are: `GPU` unless said, `CPU` for offloaded ones. */
      readonly medium?: string;
    }
  | {
      readonly kind: "removed";
      readonly blockHashes: readonly EngineBlockHash[];
      readonly medium?: string;
    }
  | { readonly kind: "cleared" };
