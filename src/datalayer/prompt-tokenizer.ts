import type { Log } from "../core/log.ts";
import type { InferenceRequest } from "../request/inference-request.ts";
import { reasonOf } from "./failure-log.ts";
import { decodeBody } from "./request-content.ts";
import { TokenCache } from "./token-cache.ts";
import type { RequestBody, TokenPlan, TokenSource } from "./token-source.ts";

/** What is known of a prompt's tokens at once. */
export interface KnownPromptTokens {
  readonly tokens: Uint32Array;
  readonly isWhole: boolean;
}

/** Limits of the background work. */
export interface PromptTokenizerLimits {
  /** Tokens that are kept, four bytes each. */
  readonly cachedTokensMax: number;
  /** Prompts that wait for their tokens. */
  readonly pendingMax: number;
  /** Bytes of these prompts. */
  readonly pendingBytesMax: number;
}

export const DEFAULT_TOKENIZER_LIMITS: PromptTokenizerLimits = {
  cachedTokensMax: 16 * 1024 * 1024,
  pendingMax: 256,
  pendingBytesMax: 32 * 1024 * 1024,
};

/** After a failure nothing is asked for so long, wall milliseconds. */
const PAUSE_MS = 1000;

const NOTHING: KnownPromptTokens = { tokens: new Uint32Array(0), isWhole: false };

/** Answers with the tokens that are known, and has the rest found in the background. */
export class PromptTokenizer {
  readonly #source: TokenSource;
  readonly #log: Log;
  readonly #limits: PromptTokenizerLimits;
  readonly #cache: TokenCache;
  /** Keys of whole prompts that are being worked on. */
  readonly #pending = new Set<string>();
  #pendingBytes = 0;
  #failureCount = 0;
  #pausedUntilMs = 0;

  constructor(
    source: TokenSource,
    log: Log,
    limits: PromptTokenizerLimits = DEFAULT_TOKENIZER_LIMITS,
  ) {
    this.#source = source;
    this.#log = log;
    this.#limits = limits;
    this.#cache = new TokenCache(limits.cachedTokensMax);
  }

  get pendingCount(): number {
    return this.#pending.size;
  }

  /** Never waits. */
  known(request: InferenceRequest): KnownPromptTokens {
    const body = decodeBody(request);
    if (body === undefined) return NOTHING;
    const given = tokenIdsOf(body);
    if (given !== undefined) return { tokens: given, isWhole: true };
    const plan = this.#source.plan(request, body);
    if (plan === undefined) return NOTHING;
    const prefix = this.#cache.find(plan.keys);
    const isWhole = prefix?.segments === plan.keys.length;
    if (!isWhole) this.#begin(plan, prefix ?? { segments: 0, tokens: NOTHING.tokens });
    return prefix === undefined ? NOTHING : { tokens: prefix.tokens, isWhole };
  }

  async close(): Promise<void> {
    await this.#source.close();
  }

  #begin(plan: TokenPlan, prefix: { segments: number; tokens: Uint32Array }): void {
    const whole = plan.keys.at(-1);
    if (whole === undefined || this.#pending.has(whole)) return;
    const { pendingMax, pendingBytesMax } = this.#limits;
    const isFull =
      this.#pending.size >= pendingMax || this.#pendingBytes + plan.sizeBytes > pendingBytesMax;
    // A prompt that is left out is asked for again when it comes again.
    if (isFull || performance.now() < this.#pausedUntilMs) return;
    this.#pending.add(whole);
    this.#pendingBytes += plan.sizeBytes;
    plan
      .run(prefix.segments)
      .then(
        (found) => {
          const before = found.from === 0 ? NOTHING.tokens : prefix.tokens;
          this.#cache.put(plan.keys, before, found);
          this.#succeeded();
        },
        (error: unknown) => this.#failed(error),
      )
      .finally(() => {
        this.#pending.delete(whole);
        this.#pendingBytes -= plan.sizeBytes;
      });
  }

  #succeeded(): void {
    if (this.#failureCount === 0) return;
    this.#log.info("tokens-recovered", { source: this.#source.name, failures: this.#failureCount });
    this.#failureCount = 0;
  }

  #failed(error: unknown): void {
    this.#pausedUntilMs = performance.now() + PAUSE_MS;
    this.#failureCount++;
    if (this.#failureCount > 1) return;
    this.#log.warn("tokens-failed", { source: this.#source.name, reason: reasonOf(error) });
  }
}

/** A completion may be asked for by ids, and then there is nothing to find out. */
function tokenIdsOf({ prompt }: RequestBody): Uint32Array | undefined {
  const isIds = Array.isArray(prompt) && prompt.length > 0 && prompt.every(Number.isInteger);
  return isIds ? Uint32Array.from(prompt as readonly number[]) : undefined;
}
