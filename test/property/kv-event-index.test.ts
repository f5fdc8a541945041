import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import type { KvEvent } from "../../src/core/kv-event.ts";
import { KvEventIndex } from "../../src/endpoints/kv-event-index.ts";
import { chainSeed } from "../../src/request/block-hasher.ts";
import { BytesPrompt } from "../../src/request/prompt.ts";
import { blockHasher } from "../fixtures/block-hasher.ts";

const SLOTS = 3;
const CPU_WEIGHT = 0.8;
const USUAL_BLOCK_TOKENS = 16;

/** What an endpoint holds, in Maps: blocks by the path of tokens that leads to them. */
class ModelReporter {
  readonly blockTokens: number;
  isReporting: boolean;
  readonly names = new Map<number, { readonly path: string; readonly copies: [number, number] }>();
  readonly creditedUntilMs = new Map<string, number>();

  constructor(blockTokens: number, isReporting: boolean) {
    this.blockTokens = blockTokens;
    this.isReporting = isReporting;
  }

  copies(path: string, tier: number): number {
    const named = [...this.names.values()].filter((name) => name.path === path);
    return named.reduce((sum, { copies }) => sum + (copies[tier] ?? 0), 0);
  }

  add(name: number, path: string | undefined, tier: number): void {
    const known = this.names.get(name);
    const named =
      known ?? (path === undefined ? undefined : { path, copies: [0, 0] as [number, number] });
    if (named === undefined) return;
    (named.copies[tier] as number)++;
    this.names.set(name, named);
    this.creditedUntilMs.delete(named.path);
  }

  remove(name: number, tier: number): void {
    const named = this.names.get(name);
    if (named === undefined || named.copies[tier] === 0) return;
    (named.copies[tier] as number)--;
    if (named.copies[0] + named.copies[1] === 0) this.names.delete(name);
    if (this.copies(named.path, 0) + this.copies(named.path, 1) === 0) {
      this.creditedUntilMs.delete(named.path);
    }
  }

  weight(path: string, nowMs: number): number {
    if (this.copies(path, 0) > 0) return 1;
    if ((this.creditedUntilMs.get(path) ?? 0) > nowMs) return 1;
    return this.copies(path, 1) > 0 ? CPU_WEIGHT : 0;
  }
}

class Model {
  readonly slots: (ModelReporter | undefined)[] = new Array(SLOTS).fill(undefined);
  nowMs = 0;

  apply(slot: number, event: KvEvent): void {
    const before = this.slots[slot];
    if (event.kind === "cleared") {
      this.slots[slot] = new ModelReporter(before?.blockTokens ?? USUAL_BLOCK_TOKENS, true);
      return;
    }
    const tier = event.medium === "CPU" ? 1 : 0;
    if (event.kind === "removed") {
      for (const name of event.blockHashes) before?.remove(Number(name), tier);
      return;
    }
    const { blockTokens, tokenIds } = event;
    const reporter =
      before?.blockTokens === blockTokens ? before : new ModelReporter(blockTokens, true);
    reporter.isReporting = true;
    this.slots[slot] = reporter;
    const isBare = tokenIds.length < blockTokens;
    const parent = event.parentHash;
    const start = parent === undefined ? "" : reporter.names.get(Number(parent))?.path;
    if (!isBare && start === undefined) return;
    let path = start ?? "";
    for (const [block, name] of event.blockHashes.entries()) {
      const tokens = tokenIds.subarray(block * blockTokens, (block + 1) * blockTokens);
      if (!isBare && tokens.length < blockTokens) return;
      path += `${tokens.join(",")};`;
      reporter.add(Number(name), isBare ? undefined : path, tier);
    }
  }

  credit(slot: number, tokens: readonly number[], ttlMs: number): void {
    const reporter = this.slots[slot] ?? new ModelReporter(USUAL_BLOCK_TOKENS, false);
    this.slots[slot] = reporter;
    for (const path of pathsOf(tokens, reporter.blockTokens)) {
      if (reporter.copies(path, 0) + reporter.copies(path, 1) > 0) continue;
      const known = reporter.creditedUntilMs.get(path) ?? 0;
      reporter.creditedUntilMs.set(path, Math.max(known, this.nowMs + ttlMs));
    }
  }

  matchedBytes(slot: number, tokens: readonly number[]): number {
    const reporter = this.slots[slot];
    if (reporter === undefined) return Number.NaN;
    let sum = 0;
    for (const path of pathsOf(tokens, reporter.blockTokens)) {
      const weight = reporter.weight(path, this.nowMs);
      if (weight === 0) break;
      sum += weight;
    }
    if (sum === 0 && !reporter.isReporting) return Number.NaN;
    return sum * reporter.blockTokens * 4;
  }
}

function pathsOf(tokens: readonly number[], blockTokens: number): readonly string[] {
  let path = "";
  return Array.from({ length: Math.floor(tokens.length / blockTokens) }, (_, block) => {
    path += `${tokens.slice(block * blockTokens, (block + 1) * blockTokens).join(",")};`;
    return path;
  });
}

function promptOf(tokens: readonly number[]): BytesPrompt {
  const bytes = new Uint8Array(Uint32Array.from(tokens).buffer);
  return new BytesPrompt(bytes, { hasher: blockHasher, model: "m", cacheSalt: undefined });
}

const name = fc.nat({ max: 7 });
const medium = fc.option(fc.constantFrom("GPU", "CPU"), { nil: undefined });
// Two tokens and mostly one block size make chains meet; names are reused, so they come and go.
const tokens = fc.array(fc.nat({ max: 1 }), { maxLength: 8 });
const slot = fc.nat({ max: SLOTS - 1 });
const blockTokens = fc.oneof({ weight: 9, arbitrary: fc.constant(2) }, fc.constantFrom(1, 3));

const stored = fc
  .record({
    blockHashes: fc.array(name, { minLength: 1, maxLength: 4 }),
    parentHash: fc.option(name, { nil: undefined }),
    tokens,
    blockTokens,
    medium,
  })
  .map(({ tokens: ids, medium: where, ...event }): KvEvent => {
    const more = where === undefined ? {} : { medium: where };
    return { kind: "stored", ...event, tokenIds: Uint32Array.from(ids), ...more };
  });
const removed = fc
  .record({ blockHashes: fc.array(name, { maxLength: 3 }), medium })
  .map(({ blockHashes, medium: where }): KvEvent => {
    return { kind: "removed", blockHashes, ...(where === undefined ? {} : { medium: where }) };
  });
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ slot, event: stored }) },
  { weight: 5, arbitrary: fc.record({ slot, event: removed }) },
  { weight: 1, arbitrary: fc.record({ slot, event: fc.constant<KvEvent>({ kind: "cleared" }) }) },
  { weight: 1, arbitrary: fc.record({ purged: slot }) },
  { weight: 4, arbitrary: fc.record({ slot, credited: tokens, ttlMs: fc.nat({ max: 5 }) }) },
  { weight: 3, arbitrary: fc.record({ laterMs: fc.nat({ max: 4 }) }) },
);

test("kv-event-index: Maps of what was said, credited and taken back would answer the same", () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 40, size: "max" }),
      fc.array(tokens),
      (steps, asked) => {
        const index = new KvEventIndex({
          seed: () => chainSeed("m", undefined),
          hash: (bytes, blockBytes, parent, out) =>
            blockHasher.hash(bytes, 0, bytes.length, blockBytes, parent, out),
        });
        const model = new Model();
        for (const taken of steps) {
          if ("event" in taken) {
            index.apply(taken.slot, [taken.event]);
            model.apply(taken.slot, taken.event);
          } else if ("purged" in taken) {
            index.purge(taken.purged);
            model.slots[taken.purged] = undefined;
          } else if ("credited" in taken) {
            index.credit({ prompt: promptOf(taken.credited) }, taken.slot, taken.ttlMs);
            model.credit(taken.slot, taken.credited, taken.ttlMs);
          } else {
            model.nowMs += taken.laterMs;
            index.advance(model.nowMs);
          }
          const bytes = new Float64Array(SLOTS);
          for (const prompt of asked) {
            index.matchedBytes({ prompt: promptOf(prompt) }, bytes);
            for (let at = 0; at < SLOTS; at++) {
              const want = model.matchedBytes(at, prompt);
              const got = bytes[at] as number;
              assert.ok(Object.is(want, got) || Math.abs(want - got) < 1e-9, `${got} for ${want}`);
            }
          }
        }
      },
    ),
    { numRuns: 500 },
  );
});

test("kv-event-index: what is taken back leaves no memory behind", () => {
  const index = new KvEventIndex({
    seed: () => chainSeed("m", undefined),
    hash: (bytes, blockBytes, parent, out) =>
      blockHasher.hash(bytes, 0, bytes.length, blockBytes, parent, out),
  });
  let sizeBytes = 0;
  for (let round = 0; round < 20; round++) {
    const blockHashes = Array.from({ length: 500 }, (_, block) => round * 500 + block);
    const tokenIds = Uint32Array.from(blockHashes);
    index.apply(0, [
      { kind: "stored", blockHashes, parentHash: undefined, tokenIds, blockTokens: 1 },
    ]);
    index.credit({ prompt: promptOf([...tokenIds, 1, 2, 3]) }, 0, 10);
    index.apply(0, [{ kind: "removed", blockHashes }]);
    index.advance(100 * round + 50);
    assert.equal(index.blockCount(0), 0);
    if (round === 0) sizeBytes = index.sizeBytes;
    assert.equal(index.sizeBytes, sizeBytes);
  }
});
