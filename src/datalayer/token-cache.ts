import type { SegmentTokens } from "./token-source.ts";

/** A beginning of a prompt whose tokens are known. */
export interface KnownPrefix {
  /** Segments that it covers. */
  readonly segments: number;
  readonly tokens: Uint32Array;
}

interface Entry {
  readonly tokens: Uint32Array;
  readonly keys: readonly string[];
  /** Keys that no later entry took over; without one nobody finds it any more. */
  ownKeys: number;
}

/** Tokens of prompts by the keys of their beginnings; the least recently used prompts leave first. */
export class TokenCache {
  readonly #tokensMax: number;
  /** In order of use. */
  readonly #entries = new Set<Entry>();
  readonly #byKey = new Map<string, { readonly entry: Entry; readonly end: number }>();
  #tokenCount = 0;

  constructor(tokensMax: number) {
    this.#tokensMax = tokensMax;
  }

  get tokenCount(): number {
    return this.#tokenCount;
  }

  /** The longest beginning that is known. */
  find(keys: readonly string[]): KnownPrefix | undefined {
    for (let at = keys.length - 1; at >= 0; at--) {
      const known = this.#byKey.get(keys[at] as string);
      if (known === undefined) continue;
      this.#entries.delete(known.entry);
      this.#entries.add(known.entry);
      return { segments: at + 1, tokens: known.entry.tokens.subarray(0, known.end) };
    }
    return undefined;
  }

  /** Keeps the tokens of `prefix` and of the segments after it; one prompt above the bound is not kept. */
  put(keys: readonly string[], prefix: Uint32Array, found: SegmentTokens): void {
    const length = prefix.length + found.tokens.length;
    if (length > this.#tokensMax) return;
    const tokens = new Uint32Array(length);
    tokens.set(prefix);
    tokens.set(found.tokens, prefix.length);
    // Beginnings that were known before are found in the longer prompt as well, so the shorter can go.
    const inherited = keys.slice(0, found.from).map((key) => this.#byKey.get(key)?.end ?? -1);
    const added = Array.from(found.ends, (end) => (end < 0 ? -1 : prefix.length + end));
    const ends = [...inherited, ...added];
    const own = keys.filter((_, at) => (ends[at] ?? -1) >= 0);
    const entry: Entry = { tokens, keys: own, ownKeys: own.length };
    for (const [at, key] of keys.entries()) {
      const end = ends[at] ?? -1;
      if (end >= 0) this.#take(key, entry, end);
    }
    this.#entries.add(entry);
    this.#tokenCount += length;
    for (const oldest of this.#entries) {
      if (this.#tokenCount <= this.#tokensMax) return;
      this.#drop(oldest);
    }
  }

  #take(key: string, entry: Entry, end: number): void {
    const before = this.#byKey.get(key)?.entry;
    this.#byKey.set(key, { entry, end });
    if (before === undefined || before === entry) return;
    before.ownKeys--;
    if (before.ownKeys === 0) this.#drop(before);
  }

  #drop(entry: Entry): void {
    if (!this.#entries.delete(entry)) return;
    this.#tokenCount -= entry.tokens.length;
    for (const key of entry.keys) {
      if (this.#byKey.get(key)?.entry === entry) this.#byKey.delete(key);
    }
  }
}
