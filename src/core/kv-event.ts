/** Hash of a KV-cache block as its engine names it: opaque to everybody else. */
export type EngineBlockHash = number | bigint | string;

/** What an engine says about its KV-cache blocks; one shape for every transport (vLLM `KVEventBatch`). */
export type KvEvent =
  | {
      readonly kind: "stored";
      readonly blockHashes: readonly EngineBlockHash[];
      /** Block that the first of `blockHashes` follows; undefined at the start of a prompt. */
      readonly parentHash: EngineBlockHash | undefined;
      /** `blockHashes.length * blockTokens` token ids, in order. */
      readonly tokenIds: Uint32Array;
      readonly blockTokens: number;
      /** vLLM's extra key of the first block of a salted prompt. */
      readonly cacheSalt?: string;
      /** LoRA adapter that the blocks were computed with; of the first block of a prompt. */
      readonly loraName?: string;
    }
  | { readonly kind: "removed"; readonly blockHashes: readonly EngineBlockHash[] }
  | { readonly kind: "cleared" };
