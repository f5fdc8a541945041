import { createHmac, randomBytes } from "node:crypto";
import { barePath } from "../core/bare-path.ts";
import {
  RECORDED_BLOCK_BYTES,
  type RecordedChain,
  type RecordedRequest,
  type RecordedTokens,
} from "../director/recorded-line.ts";
import type { InferenceRequest, PromptTokens } from "../request/inference-request.ts";
import type { BlockChain, Prompt } from "../request/prompt.ts";

/**
 * Headers that builtin plugins and rules read unless configured otherwise: recorded whether or not the
 * configuration in effect reads them, so that another one can be replayed. Beyond these only what a
 * configured plugin really asked for is recorded.
 */
const WATCHED_HEADERS: readonly string[] = [
  "x-prefill",
  "x-session-id",
  "x-session-token",
  "epp-profile",
  "x-llm-d-inference-objective",
  "x-gateway-inference-objective",
];

/** Headers whose values are secrets: equal values stay equal, and nothing else can be told from them. */
const SECRET_HEADERS: readonly string[] = ["authorization", "proxy-authorization", "x-api-key"];

/** Characters of one header's value; session ids are far shorter. */
const HEADER_LENGTH_MAX = 1024;
/** Leading bytes of a prompt whose blocks are recorded even where nobody asked for so many. */
const CHAIN_BYTES_MAX = 1024 * 1024;
/** What plugins take for a session's id; other cookie values are none, before masking and after. */
const SESSION_VALUE = /^[\x20-\x7e]{1,256}$/;

/** A request that remembers what scheduling asked of it. */
export class NotedRequest {
  /** Goes to the core in the place of the asked one. */
  readonly request: InferenceRequest;
  readonly #asked: InferenceRequest;
  readonly #prompt: NotedPrompt;
  readonly #tokens: NotedTokens | undefined;
  readonly #headers = new Map<string, string>();
  #renamed: NotedRequest | undefined;

  constructor(asked: InferenceRequest) {
    this.#asked = asked;
    this.#prompt = new NotedPrompt(asked.prompt);
    this.#tokens = asked.tokens === undefined ? undefined : new NotedTokens(asked.tokens);
    this.request = {
      ...asked,
      prompt: this.#prompt,
      tokens: this.#tokens,
      header: (name) => {
        const value = asked.header(name);
        if (value !== undefined) this.#headers.set(name, value);
        return value;
      },
      renamed: (model) => {
        const { request, edits } = asked.renamed(model);
        this.#renamed = new NotedRequest(request);
        return { request: this.#renamed.request, edits };
      },
    };
  }

  /** The request as it is recorded, with chains of these block sizes besides those that were asked for. */
  toRecorded(blockSizes: Iterable<number>): RecordedRequest {
    const asked = this.#asked;
    const sizes = new Set([RECORDED_BLOCK_BYTES, ...blockSizes]);
    for (const name of WATCHED_HEADERS) this.request.header(name);
    const renamed = this.#renamed;
    for (const [name, value] of renamed === undefined ? [] : renamed.#headers) {
      this.#headers.set(name, value);
    }
    return {
      id: asked.id,
      kind: asked.kind,
      path: barePath(asked.path),
      model: asked.model,
      isStreaming: asked.isStreaming,
      isUsageStreamed: asked.isUsageStreamed,
      maxOutputTokens: asked.maxOutputTokens ?? null,
      bodyBytes: asked.bodyBytes,
      mediaCount: asked.mediaCount,
      promptBytes: asked.prompt.sizeBytes,
      chains: this.#prompt.chains(sizes),
      tokens: this.#tokens?.toRecorded(blockSizes) ?? null,
      headers: Object.fromEntries([...this.#headers].map(masked)),
      onlyHosts: asked.onlyHosts === undefined ? null : [...asked.onlyHosts],
      renamed:
        renamed === undefined
          ? null
          : {
              model: renamed.#asked.model,
              chains: renamed.#prompt.chains(sizes),
              tokens: renamed.#tokens?.toRecorded(blockSizes) ?? null,
            },
    };
  }
}

/** Hashes as far as will be recorded at the first question, so that no prompt is hashed twice. */
class NotedPrompt implements Prompt {
  readonly #prompt: Prompt;
  /** Most blocks that were asked for, by block size. */
  readonly #asked = new Map<number, number>();

  constructor(prompt: Prompt) {
    this.#prompt = prompt;
  }

  get sizeBytes(): number {
    return this.#prompt.sizeBytes;
  }

  blocks(blockBytes: number, maxBlocks: number): BlockChain {
    this.#asked.set(blockBytes, Math.max(maxBlocks, this.#asked.get(blockBytes) ?? 0));
    const chain = this.#whole(blockBytes);
    if (chain.blockCount <= maxBlocks) return chain;
    return { hashes: chain.hashes.subarray(0, 2 * maxBlocks), blockCount: maxBlocks };
  }

  chains(sizes: ReadonlySet<number>): readonly RecordedChain[] {
    return [...new Set([...sizes, ...this.#asked.keys()])].map((blockBytes) => {
      const { hashes, blockCount } = this.#whole(blockBytes);
      return { blockBytes, hashes: encodeHashes(hashes.subarray(0, 2 * blockCount)) };
    });
  }

  #whole(blockBytes: number): BlockChain {
    const bound = Math.floor(CHAIN_BYTES_MAX / blockBytes);
    return this.#prompt.blocks(blockBytes, Math.max(bound, this.#asked.get(blockBytes) ?? 0));
  }
}

/** Known tokens, noted alike; of them only chains are recorded. */
class NotedTokens extends NotedPrompt implements PromptTokens {
  readonly count: number;
  readonly isWhole: boolean;

  constructor(tokens: PromptTokens) {
    super(tokens);
    this.count = tokens.count;
    this.isWhole = tokens.isWhole;
  }

  toRecorded(blockSizes: Iterable<number>): RecordedTokens {
    const { count, isWhole, sizeBytes } = this;
    return { count, isWhole, sizeBytes, chains: this.chains(new Set(blockSizes)) };
  }
}

/** Pairs of words as a recording holds them. */
export function encodeHashes(hashes: Uint32Array): string {
  const { buffer, byteOffset, byteLength } = hashes;
  return Buffer.from(buffer, byteOffset, byteLength).toString("base64");
}

/** Never written anywhere, so a masked value cannot be found again by trying. */
const MASK_KEY = randomBytes(32);

function masked([name, value]: readonly [string, string]): readonly [string, string] {
  if (SECRET_HEADERS.includes(name)) return [name, maskedValue(value)];
  if (name !== "cookie") return [name, value.slice(0, HEADER_LENGTH_MAX)];
  const pairs = value.split(";").map((pair) => {
    const at = pair.indexOf("=");
    if (at === -1) return "";
    const plain = pair.slice(at + 1).trim();
    return `${pair.slice(0, at)}=${maskedValue(plain.replace(/^"(.*)"$/, "$1"))}`;
  });
  return [name, pairs.join(";").slice(0, HEADER_LENGTH_MAX)];
}

function maskedValue(value: string): string {
  if (!SESSION_VALUE.test(value)) return "";
  return createHmac("sha256", MASK_KEY).update(value).digest("hex").slice(0, 32);
}
