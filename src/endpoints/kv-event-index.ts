import type { EngineBlockHash, KvEvent } from "../core/kv-event.ts";
import { BYTES_PER_TOKEN } from "../core/tokenizer.ts";
import type { KvBlockView, PromptBlocks, PromptView } from "./block-index.ts";
import { KvCredits } from "./kv-credits.ts";
import { KvHoldings, type Tier } from "./kv-holdings.ts";

/** A 64-bit hash as lo,hi words. */
interface Pair {
  readonly lo: number;
  readonly hi: number;
}

/** How the index turns an engine's tokens into the router's own chain; `request/` implements both. */
export interface BlockChaining {
  /** Where a chain begins; `loraName` is undefined for the base model. */
  seed(loraName: string | undefined, cacheSalt: string | undefined): Pair;
  /** Chains full blocks of `bytes` after `parent` into lo,hi pairs. */
  hash(bytes: Uint8Array, blockBytes: number, parent: Pair, out: Uint32Array): number;
}

/** What is known of one endpoint. */
interface Reporter {
  readonly blockBytes: number;
  readonly holdings: KvHoldings;
  /** Whether the engine itself said anything; until then there are credits at most. */
  readonly isReporting: boolean;
}

/** An engine has at most this many blocks; more means lost removals, and the endpoint starts afresh. */
const BLOCKS_PER_ENDPOINT_MAX = 4_000_000;
/** Block of an engine that has reported nothing: vLLM's 16 tokens. */
const USUAL_BLOCK_BYTES = 16 * BYTES_PER_TOKEN;
/** Adapters whose names are kept; a pool serves far fewer. */
const ADAPTERS_MAX = 4096;

/**
 * Which blocks the engines themselves say they hold, and for a while those that they will hold by the
 * router's decisions. Keys are made from the tokens, so any engine hash algorithm works: an engine's hashes
 * are names under which it may later say "removed".
 */
export class KvEventIndex implements KvBlockView {
  readonly #chaining: BlockChaining;
  readonly #blocksMax: number;
  readonly #bySlot: (Reporter | undefined)[] = [];
  readonly #credits = new KvCredits();
  readonly #adapters = new Set<string>();
  #nowMs = 0;

  constructor(chaining: BlockChaining, blocksPerEndpointMax: number = BLOCKS_PER_ENDPOINT_MAX) {
    this.#chaining = chaining;
    this.#blocksMax = blocksPerEndpointMax;
  }

  /** LoRA adapters that engines named; their chains begin with their names. */
  get adapters(): ReadonlySet<string> {
    return this.#adapters;
  }

  get sizeBytes(): number {
    return this.#bySlot.reduce(
      (sum, reporter) => sum + (reporter?.holdings.sizeBytes ?? 0),
      this.#credits.sizeBytes,
    );
  }

  /** Whether some endpoint reports. */
  get hasReports(): boolean {
    return this.#bySlot.some((reporter) => reporter?.isReporting === true);
  }

  isReporting(slot: number): boolean {
    return this.#bySlot[slot]?.isReporting === true;
  }

  /** Number of distinct blocks known for the slot. */
  blockCount(slot: number): number {
    return this.#bySlot[slot]?.holdings.keyCount ?? 0;
  }

  /** Moves the clock, which credits end by. */
  advance(nowMs: number): void {
    this.#nowMs = nowMs;
    this.#credits.expire(nowMs);
  }

  matchedBytes(view: PromptView, bytesBySlot: Float64Array): void {
    for (let slot = 0; slot < bytesBySlot.length; slot++) {
      const reporter = this.#bySlot[slot];
      if (reporter === undefined) {
        bytesBySlot[slot] = Number.NaN;
        continue;
      }
      const bytes = this.#weightedBlocks(reporter, view) * reporter.blockBytes;
      // Without a report only what was credited is known.
      bytesBySlot[slot] = bytes === 0 && !reporter.isReporting ? Number.NaN : bytes;
    }
  }

  matchRatios(view: PromptView, ratioBySlot: Float64Array): void {
    const { sizeBytes } = view.tokens ?? view.prompt;
    this.matchedBytes(view, ratioBySlot);
    for (let slot = 0; slot < ratioBySlot.length; slot++) {
      const blockBytes = this.#bySlot[slot]?.blockBytes ?? USUAL_BLOCK_BYTES;
      const total = Math.floor(sizeBytes / blockBytes) * blockBytes;
      const matched = ratioBySlot[slot] as number;
      if (matched > 0) ratioBySlot[slot] = total === 0 ? 0 : Math.min(1, matched / total);
    }
  }

  credit({ prompt, tokens }: PromptView, slot: number, ttlMs: number): void {
    const reporter = this.#bySlot[slot] ?? this.#begin(slot, USUAL_BLOCK_BYTES, false);
    const untilMs = this.#nowMs + ttlMs;
    const known = tokens === undefined ? undefined : chainOf(tokens, reporter.blockBytes);
    // Without tokens the bytes stand for them; what is credited so no event can take back.
    const isKnown = known !== undefined && known.blockCount > 0;
    const chain = isKnown ? known : chainOf(prompt, reporter.blockBytes);
    this.#credits.add(reporter.holdings, chain.hashes, chain.blockCount, untilMs);
  }

  apply(slot: number, events: readonly KvEvent[]): void {
    for (const event of events) {
      switch (event.kind) {
        case "stored":
          this.#stored(slot, event);
          break;
        case "removed":
          for (const hash of event.blockHashes) this.#removed(slot, hash, tierOf(event.medium));
          break;
        case "cleared":
          // It reports, and holds nothing.
          this.#begin(slot, this.#bySlot[slot]?.blockBytes ?? USUAL_BLOCK_BYTES, true);
          break;
      }
    }
  }

  /** The endpoint is gone or restarted: it reports nothing until its next event. */
  purge(slot: number): void {
    this.#bySlot[slot] = undefined;
  }

  #weightedBlocks({ blockBytes, holdings }: Reporter, { prompt, tokens }: PromptView): number {
    const blocks = this.#leading(holdings, prompt, blockBytes);
    // Where real tokens are known the bytes' own chain is held by credits alone.
    return tokens === undefined
      ? blocks
      : Math.max(blocks, this.#leading(holdings, tokens, blockBytes));
  }

  #leading(holdings: KvHoldings, blocks: PromptBlocks, blockBytes: number): number {
    const { hashes, blockCount } = chainOf(blocks, blockBytes);
    let sum = 0;
    for (let block = 0; block < blockCount; block++) {
      const lo = hashes[2 * block] as number;
      const weight = holdings.weight(lo, hashes[2 * block + 1] as number, this.#nowMs);
      if (weight === 0) break;
      sum += weight;
    }
    return sum;
  }

  #stored(slot: number, event: Extract<KvEvent, { kind: "stored" }>): void {
    const tier = tierOf(event.medium);
    // An event about blocks that are known already may leave out their tokens and their size.
    const blockBytes =
      event.blockTokens > 0
        ? event.blockTokens * BYTES_PER_TOKEN
        : (this.#bySlot[slot]?.blockBytes ?? USUAL_BLOCK_BYTES);
    const { holdings } = this.#reporting(slot, blockBytes);
    if (event.tokenIds.length < Math.max(1, event.blockTokens)) {
      for (const hash of event.blockHashes) {
        const { lo, hi } = nameOf(hash);
        const known = holdings.name(lo, hi);
        if (known !== 0) holdings.addCopy(known, tier);
      }
      return;
    }
    const parent = this.#parentOf(holdings, event);
    // A parent that is unknown here was stored before this router listened: its children cannot be placed.
    if (parent === undefined) return;
    const { buffer, byteOffset, byteLength } = event.tokenIds;
    const bytes = new Uint8Array(buffer, byteOffset, byteLength);
    const keys = new Uint32Array(2 * event.blockHashes.length);
    const count = this.#chaining.hash(bytes, blockBytes, parent, keys);
    for (let block = 0; block < count; block++) {
      const name = nameOf(event.blockHashes[block] as EngineBlockHash);
      holdings.store(name, keys[2 * block] as number, keys[2 * block + 1] as number, tier);
    }
  }

  #parentOf(
    holdings: KvHoldings,
    { parentHash, loraName, cacheSalt }: Extract<KvEvent, { kind: "stored" }>,
  ): Pair | undefined {
    if (loraName !== undefined && this.#adapters.size < ADAPTERS_MAX) this.#adapters.add(loraName);
    if (parentHash === undefined) return this.#chaining.seed(loraName, cacheSalt);
    const hash = nameOf(parentHash);
    const name = holdings.name(hash.lo, hash.hi);
    return name === 0
      ? undefined
      : { lo: holdings.keyLo(name) >>> 0, hi: holdings.keyHi(name) >>> 0 };
  }

  #removed(slot: number, hash: EngineBlockHash, tier: Tier): void {
    const { lo, hi } = nameOf(hash);
    this.#bySlot[slot]?.holdings.remove(lo, hi, tier);
  }

  #reporting(slot: number, blockBytes: number): Reporter {
    const known = this.#bySlot[slot];
    // Another block size means another engine configuration: what was held before is void.
    if (known?.blockBytes !== blockBytes || known.holdings.nameCount >= this.#blocksMax) {
      return this.#begin(slot, blockBytes, true);
    }
    if (known.isReporting) return known;
    const reporter = { ...known, isReporting: true };
    this.#bySlot[slot] = reporter;
    return reporter;
  }

  #begin(slot: number, blockBytes: number, isReporting: boolean): Reporter {
    const fresh: Reporter = { blockBytes, holdings: new KvHoldings(), isReporting };
    this.#bySlot[slot] = fresh;
    return fresh;
  }
}

function chainOf(blocks: PromptBlocks, blockBytes: number): ReturnType<PromptBlocks["blocks"]> {
  return blocks.blocks(blockBytes, Math.floor(blocks.sizeBytes / blockBytes));
}

function tierOf(medium: string | undefined): Tier {
  return medium?.toUpperCase() === "CPU" ? "cpu" : "gpu";
}

/** An engine's name in two words: the number itself, or 64 bits of a string, such as a digest's digits. */
function nameOf(hash: EngineBlockHash): Pair {
  if (typeof hash === "bigint") {
    return { lo: Number(BigInt.asIntN(32, hash)), hi: Number(BigInt.asIntN(32, hash >> 32n)) };
  }
  if (typeof hash === "number") return { lo: hash | 0, hi: Math.floor(hash / 4294967296) | 0 };
  let lo = 0x811c9dc5;
  let hi = 0x9e3779b1;
  for (let at = 0; at < hash.length; at++) {
    const code = hash.charCodeAt(at);
    lo = Math.imul(lo ^ code, 0x01000193);
    hi = Math.imul((hi ^ code) + (lo >>> 15), 0x85ebca6b);
  }
  return { lo: lo ^ (lo >>> 16), hi: hi ^ (hi >>> 13) };
}
