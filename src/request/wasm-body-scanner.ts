import type { HashPair } from "./block-hasher.ts";
import type { BodyFacts, BodyScanner } from "./body-scanner.ts";
import type { RequestKind } from "./inference-request.ts";
import type { PromptText } from "./prompt.ts";
import type { ReceivedBody } from "./received-body.ts";
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

/** Hashes that are made in one call. */
const HASHES_AT_ONCE = 4096;
const HASH_BYTES = 8;

/**
 * Scans in WebAssembly; its memory grows to the longest body that it was given, and is reused. A prompt is
 * hashed where the scan left it: for most requests nobody else ever needs its bytes.
 */
export class WasmBodyScanner implements BodyScanner {
  readonly #wasm = createRequestInstance();
  readonly #start = this.#wasm.freeFrom();
  #bodyRoom = 0;
  #memory: Buffer = Buffer.alloc(0);
  #facts: Int32Array = new Int32Array(0);
  #hashes: Uint32Array = new Uint32Array(0);
  /** Whose text lies in the memory. */
  #current: ScannedText | undefined;

  constructor() {
    this.#makeRoom(BODY_BYTES_AT_START);
  }

  scan(body: ReceivedBody, kind: RequestKind): BodyFacts | undefined {
    if (body.sizeBytes > BODY_BYTES_MAX) return undefined;
    const promptBytes = this.#read(body, kind);
    if (promptBytes < 0) return undefined;
    this.#current = new ScannedText(this, body, kind, promptBytes);
    const limit = this.#fact(MAX_COMPLETION_TOKENS) || this.#fact(MAX_TOKENS);
    return {
      model: this.#text(MODEL_START, MODEL_BYTES),
      isStreaming: this.#fact(IS_STREAMING) === 1,
      isUsageStreamed: this.#fact(IS_USAGE_STREAMED) === 1,
      maxOutputTokens: limit === 0 ? undefined : limit,
      cacheSalt: this.#fact(SALT_BYTES) < 0 ? undefined : this.#text(SALT_START, SALT_BYTES),
      mediaCount: this.#fact(MEDIA_COUNT),
      prompt: this.#current,
    };
  }

  /** A copy of a text that this scanner found. */
  bytesOf(text: ScannedText): Uint8Array {
    this.#bringBack(text);
    return new Uint8Array(this.#memory.subarray(this.#promptAt, this.#promptAt + text.sizeBytes));
  }

  /** Hashes a text that this scanner found, as `BlockHasher.hash` would. */
  hash(text: ScannedText, blockBytes: number, seed: HashPair, out: Uint32Array): number {
    const blocks = Math.min(Math.floor(text.sizeBytes / blockBytes), out.length >>> 1);
    if (!(blocks > 0)) return 0;
    this.#bringBack(text);
    const hashes = this.#hashes;
    let { lo, hi } = seed;
    for (let done = 0; done < blocks; done += HASHES_AT_ONCE) {
      const count = Math.min(HASHES_AT_ONCE, blocks - done);
      const at = this.#promptAt + done * blockBytes;
      this.#wasm.chainBlocks(at, count, blockBytes, lo, hi, hashes.byteOffset);
      out.set(hashes.subarray(0, 2 * count), 2 * done);
      lo = hashes[2 * count - 2] as number;
      hi = hashes[2 * count - 1] as number;
    }
    return blocks;
  }

  get #promptAt(): number {
    return this.#start + this.#bodyRoom + SLACK_BYTES;
  }

  /** Another body may have been scanned since; then this one is scanned once more. */
  #bringBack(text: ScannedText): void {
    if (this.#current === text) return;
    this.#read(text.body, text.kind);
    this.#current = text;
  }

  /** Bytes of the prompt, which now lies in the memory with the facts; -1 for what is left to others. */
  #read(body: ReceivedBody, kind: RequestKind): number {
    const length = body.sizeBytes;
    this.#current = undefined;
    if (length > this.#bodyRoom) this.#makeRoom(Math.min(2 * length, BODY_BYTES_MAX));
    body.copyTo(this.#memory, this.#start);
    return this.#wasm.scanBody(this.#start, length, KINDS.indexOf(kind), this.#promptAt);
  }

  #fact(position: number): number {
    return this.#facts[position] as number;
  }

  #text(start: number, bytes: number): string {
    const from = this.#start + this.#fact(start);
    return this.#memory.toString("utf8", from, from + this.#fact(bytes));
  }

  #makeRoom(bodyBytes: number): void {
    const { memory } = this.#wasm;
    // Hashes are words of eight bytes.
    const hashesAt =
      Math.ceil((this.#start + 2 * (bodyBytes + SLACK_BYTES)) / HASH_BYTES) * HASH_BYTES;
    growMemory(memory, hashesAt + HASHES_AT_ONCE * HASH_BYTES);
    this.#bodyRoom = bodyBytes;
    this.#hashes = new Uint32Array(memory.buffer, hashesAt, 2 * HASHES_AT_ONCE);
    this.#memory = Buffer.from(memory.buffer);
    this.#facts = new Int32Array(memory.buffer, this.#wasm.factsAt(), FACT_COUNT);
  }
}

/** A prompt by the body it stands in. */
class ScannedText implements PromptText {
  readonly body: ReceivedBody;
  readonly kind: RequestKind;
  readonly sizeBytes: number;
  readonly #scanner: WasmBodyScanner;

  constructor(scanner: WasmBodyScanner, body: ReceivedBody, kind: RequestKind, sizeBytes: number) {
    this.#scanner = scanner;
    this.body = body;
    this.kind = kind;
    this.sizeBytes = sizeBytes;
  }

  bytes(): Uint8Array {
    return this.#scanner.bytesOf(this);
  }

  hash(blockBytes: number, seed: HashPair, out: Uint32Array): number {
    return this.#scanner.hash(this, blockBytes, seed, out);
  }
}
