import type { ModelSpec } from "./model-spec.ts";

/** Finds a model by served name or URI: organisation, scheme, case and tuning suffixes do not matter. */
export function findModel(nameOrUri: string): ModelSpec | undefined {
  return MODELS_BY_KEY.get(modelKey(nameOrUri));
}

/** Names that `findModel` knows, for error messages. */
export const MODEL_NAMES: readonly string[] = [
  "gpt-oss-20b",
  "gpt-oss-120b",
  "Qwen3-0.6B",
  "Qwen3-8B",
  "Qwen3-32B",
  "Qwen2.5-7B",
  "Llama-3.1-8B",
  "Llama-3.1-70B",
  "Llama-3.3-70B",
  "Llama-2-7B",
  "Mistral-Nemo",
  "Yi-34B",
];

/** Positions of a `dense` row, in the order in which model cards print them. */
type DenseShape = readonly [
  layers: number,
  hidden: number,
  heads: number,
  kvHeads: number,
  headDim: number,
  ffn: number,
  vocab: number,
];

// Shapes and context lengths are those of each model's config.json on Hugging Face.
const DENSE: Readonly<Record<string, readonly [DenseShape, contextTokens: number]>> = {
  "Qwen3-8B": [[36, 4096, 32, 8, 128, 12288, 151936], 40960],
  "Qwen3-32B": [[64, 5120, 64, 8, 128, 25600, 151936], 40960],
  "Qwen2.5-7B": [[28, 3584, 28, 4, 128, 18944, 152064], 32768],
  "Llama-3.1-8B": [[32, 4096, 32, 8, 128, 14336, 128256], 131072],
  "Llama-3.1-70B": [[80, 8192, 64, 8, 128, 28672, 128256], 131072],
  "Llama-3.3-70B": [[80, 8192, 64, 8, 128, 28672, 128256], 131072],
  "Llama-2-7B": [[32, 4096, 32, 32, 128, 11008, 32000], 4096],
  "Mistral-Nemo": [[40, 5120, 32, 8, 128, 14336, 131072], 131072],
  "Yi-34B": [[60, 7168, 56, 8, 128, 20480, 64000], 4096],
};

const MODELS_BY_KEY: ReadonlyMap<string, ModelSpec> = new Map(
  [
    gptOss("gpt-oss-20b", 24, 32),
    gptOss("gpt-oss-120b", 36, 128),
    { ...dense("Qwen3-0.6B", [28, 1024, 16, 8, 128, 3072, 151936], 40960), isTied: true },
    ...Object.entries(DENSE).map(([name, [shape, context]]) => dense(name, shape, context)),
  ].map((model) => [modelKey(model.name), model]),
);

function dense(name: string, shape: DenseShape, contextTokens: number): ModelSpec {
  const [layers, hidden, heads, kvHeads, headDim, ffn, vocab] = shape;
  return {
    name,
    layers,
    hidden,
    heads,
    kvHeads,
    headDim,
    ffn,
    vocab,
    isTied: false,
    contextTokens,
  };
}

/** gpt-oss: every other layer slides over 128 tokens; 4 MXFP4 experts a token. */
function gptOss(name: string, layers: number, expertCount: number): ModelSpec {
  return {
    ...dense(name, [layers, 2880, 64, 8, 64, 2880, 201088], 131072),
    slidingWindow: { layers: layers / 2, tokens: 128 },
    experts: { count: expertCount, active: 4, bytesPerParameter: 4.25 / 8 },
  };
}

/** `hf://meta-llama/Meta-Llama-3.1-8B-Instruct:main` as `llama-3.1-8b`. */
function modelKey(nameOrUri: string): string {
  const withoutScheme = nameOrUri.toLowerCase().replace(/^[a-z0-9+]+:\/\//, "");
  const lastSegment = withoutScheme.replace(/\/+$/, "").split("/").at(-1) ?? "";
  const withoutRevision = lastSegment.replace(/[:@].*$/, "").replace(/^meta-/, "");
  // Tuning and release date change the weights' values, not their shapes; a quantisation would.
  return withoutRevision.replace(/(?:-(?:instruct|chat|base|hf|\d{4}))+$/, "");
}
