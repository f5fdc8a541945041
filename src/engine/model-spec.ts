/** Shape of a transformer, from which its cost is computed. Weights are bf16 unless `experts` says else. */
export interface ModelSpec {
  /** Name without organisation, such as `Qwen3-32B`. */
  readonly name: string;
  readonly layers: number;
  readonly hidden: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** Width of the feed-forward block, of one expert where there are experts. */
  readonly ffn: number;
  readonly vocab: number;
  /** Whether input embedding and output head are one matrix. */
  readonly isTied: boolean;
  /** The model's own context length, which is vLLM's default for `--max-model-len`. */
  readonly contextTokens: number;
  /** Layers that attend to the last `tokens` tokens only. */
  readonly slidingWindow?: { readonly layers: number; readonly tokens: number };
  readonly experts?: ExpertSpec;
}

/** Experts of a mixture: `active` of `count` work on each token. */
export interface ExpertSpec {
  readonly count: number;
  readonly active: number;
  /** Stored size of an expert's parameter; MXFP4 is 4.25 bit with its scales. */
  readonly bytesPerParameter: number;
}

/** Bytes of a bf16 number: weights outside experts, and the KV cache. */
export const BF16_BYTES = 2;

/** Projections of one layer's attention: query, output, key and value. */
export function attentionParameters(model: ModelSpec): number {
  const { hidden, heads, kvHeads, headDim } = model;
  return 2 * hidden * heads * headDim + 2 * hidden * kvHeads * headDim;
}

/** One gated feed-forward block: three matrices. */
export function expertParameters(model: ModelSpec): number {
  return 3 * model.hidden * model.ffn;
}

/** Parameters that multiply each token, without embedding and head. */
export function linearParameters(model: ModelSpec): number {
  const { experts, hidden, layers } = model;
  const active = experts?.active ?? 1;
  const router = hidden * (experts?.count ?? 0);
  return layers * (attentionParameters(model) + active * expertParameters(model) + router);
}

/** Parameters of the output head, which works once a sequence and step. */
export function headParameters(model: ModelSpec): number {
  return model.vocab * model.hidden;
}

/** Size of all weights in GPU memory. */
export function weightBytes(model: ModelSpec): number {
  const { experts, hidden, layers } = model;
  const embeddings = headParameters(model) * (model.isTied ? 1 : 2) * BF16_BYTES;
  const attention = layers * attentionParameters(model) * BF16_BYTES;
  if (experts === undefined) {
    return embeddings + attention + layers * expertParameters(model) * BF16_BYTES;
  }
  const router = layers * hidden * experts.count * BF16_BYTES;
  const stored = layers * experts.count * expertParameters(model) * experts.bytesPerParameter;
  return embeddings + attention + router + stored;
}

/** KV cache of one token in one layer: key and value. */
export function kvBytesPerTokenLayer(model: ModelSpec): number {
  return 2 * model.kvHeads * model.headDim * BF16_BYTES;
}

/** Layers that attend to the whole context. */
export function fullLayers(model: ModelSpec): number {
  return model.layers - (model.slidingWindow?.layers ?? 0);
}
