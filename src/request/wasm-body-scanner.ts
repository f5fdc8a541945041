import type { BodyFacts, BodyScanner } from "./body-scanner.ts";
import type { RequestKind } from "./inference-request.ts";
import { createRequestInstance, growMemory } from "./request-instance.ts";

/** Bodies up to this size are scanned, and the memory stays below 17 MiB; `JSON.parse` reads longer ones. */
const BODY_BYTES_MAX = 8 << 20;
const BODY_BYTES_AT_START = 1 << 18;
/** Behind the body: the zero that ends it, what a vector reads too much, and the room by which a prompt may outgrow it. */
const SLACK_BYTES = 8192;

const KINDS: readonly RequestKind[] = ["chat", "completion", "other"];

// Positions of the facts in wasm/scan-body.ts.
const MODEL_START = 0;
const MODEL_BYTES = 1;
const SALT_START = 2;
const SALT_BYTES = 3;
const IS_STREAMING = 4;
const IS_USAGE_STREAMED = 5;
const MAX_TOKENS = 6;
const MAX_COMPLETION_TOKENS = 7;
const MEDIA_COUNT = 8;
const FACT_COUNT = 9;

/** Scans in WebAssembly; its memory grows to the longest body that it was given, and is reused. */
export class WasmBodyScanner implements BodyScanner {
  readonly #wasm = createRequestInstance();
  readonly #start = this.#wasm.freeFrom();
  readonly #decoder = new TextDecoder();
  #bodyRoom = 0;
  #memory: Uint8Array = new Uint8Array(0);
  #facts: Int32Array = new Int32Array(0);

  constructor() {
    this.#makeRoom(BODY_BYTES_AT_START);
  }

  scan(body: Uint8Array, kind: RequestKind): BodyFacts | undefined {
    const { length } = body;
    if (length > BODY_BYTES_MAX) return undefined;
    if (length > this.#bodyRoom) this.#makeRoom(Math.min(2 * length, BODY_BYTES_MAX));
    const memory = this.#memory;
    memory.set(body, this.#start);
    const promptAt = this.#start + this.#bodyRoom + SLACK_BYTES;
    const promptBytes = this.#wasm.scanBody(this.#start, length, KINDS.indexOf(kind), promptAt);
    if (promptBytes < 0) return undefined;
    const limit = this.#fact(MAX_COMPLETION_TOKENS) || this.#fact(MAX_TOKENS);
    return {
      model: this.#text(MODEL_START, MODEL_BYTES),
      isStreaming: this.#fact(IS_STREAMING) === 1,
      isUsageStreamed: this.#fact(IS_USAGE_STREAMED) === 1,
      maxOutputTokens: limit === 0 ? undefined : limit,
      cacheSalt: this.#fact(SALT_BYTES) < 0 ? undefined : this.#text(SALT_START, SALT_BYTES),
      mediaCount: this.#fact(MEDIA_COUNT),
      promptBytes: memory.slice(promptAt, promptAt + promptBytes),
    };
  }

  #fact(position: number): number {
    return this.#facts[position] as number;
  }

  #text(start: number, bytes: number): string {
    const from = this.#start + this.#fact(start);
    return this.#decoder.decode(this.#memory.subarray(from, from + this.#fact(bytes)));
  }

  #makeRoom(bodyBytes: number): void {
    const { memory } = this.#wasm;
    growMemory(memory, this.#start + 2 * (bodyBytes + SLACK_BYTES));
    this.#bodyRoom = bodyBytes;
    this.#memory = new Uint8Array(memory.buffer);
    this.#facts = new Int32Array(memory.buffer, this.#wasm.factsAt(), FACT_COUNT);
  }
}
