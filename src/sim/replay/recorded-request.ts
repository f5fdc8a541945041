import { modelName, requestId } from "../../core/brand.ts";
import type {
  RecordedChain,
  RecordedRequest,
  RecordedTokens,
} from "../../director/recorded-line.ts";
import { chainSeed } from "../../request/block-hasher.ts";
import type { InferenceRequest, PromptTokens } from "../../request/inference-request.ts";
import type { BlockChain, Prompt } from "../../request/prompt.ts";

/** A request made from what was recorded of it. `missing` hears of block sizes that cannot be had. */
export function recordedRequest(
  recorded: RecordedRequest,
  missing: (blockBytes: number) => void,
): InferenceRequest {
  const { maxOutputTokens, onlyHosts, headers, chains, renamed, promptBytes } = recorded;
  const request: InferenceRequest = {
    id: requestId(recorded.id),
    kind: recorded.kind,
    path: recorded.path,
    model: modelName(recorded.model),
    isStreaming: recorded.isStreaming,
    isUsageStreamed: recorded.isUsageStreamed,
    maxOutputTokens: maxOutputTokens ?? undefined,
    bodyBytes: recorded.bodyBytes,
    mediaCount: recorded.mediaCount,
    prompt: new RecordedPrompt(promptBytes, chainMap(chains), missing),
    tokens: recordedTokens(recorded.tokens, missing),
    onlyHosts: onlyHosts === null ? undefined : new Set(onlyHosts),
    header: (name) => (Object.hasOwn(headers, name) ? headers[name] : undefined),
    renamed: (model) => {
      const isRecorded = renamed?.model === model;
      const hashes = isRecorded ? chainMap(renamed.chains) : reseeded(chainMap(chains), model);
      const prompt = new RecordedPrompt(promptBytes, hashes, missing);
      const tokens = recordedTokens(isRecorded ? renamed.tokens : recorded.tokens, missing);
      return { request: { ...request, model, prompt, tokens }, edits: [] };
    },
  };
  return request;
}

/** Words of a recorded chain: pairs of lo and hi. */
export function decodeHashes(base64: string): Uint32Array {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Uint32Array.from({ length: bytes.length >>> 2 }, (_, word) =>
    view.getUint32(4 * word, true),
  );
}

type ChainMap = ReadonlyMap<number, Uint32Array>;

class RecordedPrompt implements Prompt {
  readonly sizeBytes: number;
  readonly #hashes: Map<number, Uint32Array>;
  readonly #missing: (blockBytes: number) => void;

  constructor(sizeBytes: number, hashes: ChainMap, missing: (blockBytes: number) => void) {
    this.sizeBytes = sizeBytes;
    this.#hashes = new Map(hashes);
    this.#missing = missing;
  }

  blocks(blockBytes: number, maxBlocks: number): BlockChain {
    const hashes = this.#hashes.get(blockBytes) ?? this.#derived(blockBytes);
    const blockCount = Math.min(hashes.length >>> 1, maxBlocks);
    return { hashes: hashes.subarray(0, 2 * blockCount), blockCount };
  }

  /** The hash of a small block stands for everything before it, so every n-th is a chain as well. */
  #derived(blockBytes: number): Uint32Array {
    const known = [...this.#hashes.keys()].find((size) => blockBytes % size === 0);
    const small = known === undefined ? undefined : this.#hashes.get(known);
    if (known === undefined || small === undefined) {
      this.#missing(blockBytes);
      return new Uint32Array(0);
    }
    const step = blockBytes / known;
    const blockCount = Math.floor((small.length >>> 1) / step);
    const hashes = new Uint32Array(2 * blockCount);
    for (let block = 0; block < blockCount; block++) {
      const from = 2 * ((block + 1) * step - 1);
      hashes.set(small.subarray(from, from + 2), 2 * block);
    }
    this.#hashes.set(blockBytes, hashes);
    return hashes;
  }
}

class RecordedPromptTokens extends RecordedPrompt implements PromptTokens {
  readonly count: number;
  readonly isWhole: boolean;

  constructor(recorded: RecordedTokens, missing: (blockBytes: number) => void) {
    super(recorded.sizeBytes, chainMap(recorded.chains), missing);
    this.count = recorded.count;
    this.isWhole = recorded.isWhole;
  }
}

function recordedTokens(
  recorded: RecordedTokens | null,
  missing: (blockBytes: number) => void,
): PromptTokens | undefined {
  return recorded === null ? undefined : new RecordedPromptTokens(recorded, missing);
}

function chainMap(chains: readonly RecordedChain[]): ChainMap {
  return new Map(chains.map(({ blockBytes, hashes }) => [blockBytes, decodeHashes(hashes)]));
}

/** Another model shares no cache, so its chains differ; equal prompts still have equal ones. */
function reseeded(chains: ChainMap, model: string): ChainMap {
  const seed = chainSeed(model, undefined);
  return new Map(
    [...chains].map(([blockBytes, hashes]) => [
      blockBytes,
      hashes.map((word, index) => word ^ (index % 2 === 0 ? seed.lo : seed.hi)),
    ]),
  );
}
