import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { blockHasher } from "../../test/fixtures/block-hasher.ts";
import type { EngineBlockHash, KvEvent } from "../core/kv-event.ts";
import { estimatingTokenizer } from "../core/tokenizer.ts";
import { chainSeed } from "../request/block-hasher.ts";
import { BytesPrompt } from "../request/prompt.ts";
import { KvEventIndex } from "./kv-event-index.ts";

const encoder = new TextEncoder();

function newIndex(): KvEventIndex {
  return new KvEventIndex({
    seed: (loraName, cacheSalt) => chainSeed(loraName ?? "m", cacheSalt),
    hash: (bytes, blockBytes, parent, out) =>
      blockHasher.hash(bytes, 0, bytes.length, blockBytes, parent, out),
  });
}

function promptOf(text: string, cacheSalt?: string): BytesPrompt {
  return new BytesPrompt(encoder.encode(text), { hasher: blockHasher, model: "m", cacheSalt });
}

/** Blocks of two tokens, eight bytes, under the names that the engine gives them. */
function stored(
  text: string,
  blockHashes: readonly EngineBlockHash[],
  more: { parentHash?: EngineBlockHash; cacheSalt?: string; blockTokens?: number } = {},
): KvEvent {
  return {
    kind: "stored",
    blockHashes,
    parentHash: more.parentHash,
    tokenIds: estimatingTokenizer.tokenize(encoder.encode(text)),
    blockTokens: more.blockTokens ?? 2,
    ...(more.cacheSalt === undefined ? {} : { cacheSalt: more.cacheSalt }),
  };
}

const removed = (...blockHashes: EngineBlockHash[]): KvEvent => ({ kind: "removed", blockHashes });
const cleared: KvEvent = { kind: "cleared" };

const A = "aaaaaaaa";
const B = "bbbbbbbb";
const C = "cccccccc";

const cases: readonly {
  name: string;
  events: readonly KvEvent[];
  prompt?: string;
  salt?: string;
  want: number;
}[] = [
  { name: "a stored chain is held", events: [stored(A + B + C, [1, 2, 3])], want: 1 },
  {
    name: "a part of the prompt counts by its blocks",
    events: [stored(A + B, [1, 2])],
    want: 2 / 3,
  },
  { name: "another prompt shares nothing", events: [stored(B + A, [1, 2])], want: 0 },
  {
    name: "an event continues its parent",
    events: [stored(A, [1]), stored(B + C, [2, 3], { parentHash: 1 })],
    want: 1,
  },
  {
    name: "engine hashes may be of any kind",
    events: [stored(A, [2n ** 63n]), stored(B, ["0xb"], { parentHash: 2n ** 63n })],
    want: 2 / 3,
  },
  {
    name: "children of an unknown parent cannot be placed",
    events: [stored(A, [1]), stored(B + C, [2, 3], { parentHash: 99 })],
    want: 1 / 3,
  },
  {
    name: "a removed block ends the prefix before it",
    events: [stored(A + B + C, [1, 2, 3]), removed(2)],
    want: 1 / 3,
  },
  {
    name: "removing what is unknown changes nothing",
    events: [stored(A + B + C, [1, 2, 3]), removed(9, 10)],
    want: 1,
  },
  {
    name: "a block with two copies outlives one of them",
    events: [stored(A, [1]), stored(A, [1]), removed(1)],
    want: 1 / 3,
  },
  {
    name: "a block leaves with its last copy",
    events: [stored(A, [1]), stored(A, [1]), removed(1, 1)],
    want: 0,
  },
  { name: "clearing forgets all", events: [stored(A + B, [1, 2]), cleared], want: 0 },
  {
    name: "storing works again after clearing",
    events: [stored(A + B, [1, 2]), cleared, stored(A, [1])],
    want: 1 / 3,
  },
  {
    name: "another block size voids what was held",
    events: [stored(A + B, [1, 2]), stored(A, [5, 6], { blockTokens: 1 })],
    want: 2 / 6,
  },
  {
    name: "a salted chain is another one",
    events: [stored(A + B + C, [1, 2, 3], { cacheSalt: "s" })],
    want: 0,
  },
  {
    name: "a salted chain serves its own salt",
    events: [stored(A + B, [1, 2], { cacheSalt: "s" })],
    salt: "s",
    want: 2 / 3,
  },
  { name: "a prompt below one block is 0", events: [stored(A, [1])], prompt: "aaaaaaa", want: 0 },
  { name: "an empty prompt is 0", events: [stored(A, [1])], prompt: "", want: 0 },
  {
    name: "a partial last block is not asked for",
    events: [stored(A, [1])],
    prompt: `${A}bbb`,
    want: 1,
  },
  {
    name: "fewer tokens than blocks store what they fill",
    events: [stored(A, [1, 2, 3])],
    want: 1 / 3,
  },
];
for (const { name, events, prompt = A + B + C, salt, want } of cases) {
  test(`kv-event-index: ${name}`, () => {
    const index = newIndex();
    index.apply(0, events);
    const ratios = new Float64Array(1);
    index.matchRatios({ prompt: promptOf(prompt, salt) }, ratios);
    assert.equal(ratios[0], want);
  });
}

test("kv-event-index: who sent no event is unknown, who holds nothing is 0", () => {
  const index = newIndex();
  index.apply(1, [cleared]);
  index.apply(2, [stored(A, [1])]);
  const ratios = new Float64Array(4);
  index.matchRatios({ prompt: promptOf(A) }, ratios);
  assert.deepEqual([...ratios], [Number.NaN, 0, 1, Number.NaN]);
  assert.deepEqual(
    [0, 1, 2, 3].map((slot) => index.isReporting(slot)),
    [false, true, true, false],
  );
  index.purge(2);
  assert.equal(index.isReporting(2), false);
  assert.equal(index.blockCount(2), 0);
});

test("kv-event-index: equal blocks of two LoRA adapters leave one by one", () => {
  // Engines hash the adapter into a block's name; the router's chain does not know it.
  const index = newIndex();
  index.apply(0, [stored(A, [1]), stored(A, [2]), removed(1), removed(1)]);
  assert.equal(index.blockCount(0), 1);
  index.apply(0, [removed(2)]);
  assert.equal(index.blockCount(0), 0);
});

test("kv-event-index: events of a prompt's own tokens match all its blocks, however they are cut", () => {
  const setting = fc.record({
    bytes: fc.uint8Array({ minLength: 8, maxLength: 400 }),
    blockTokens: fc.integer({ min: 1, max: 5 }),
    cut: fc.integer({ min: 1, max: 6 }),
  });
  fc.assert(
    fc.property(setting, ({ bytes, blockTokens, cut }) => {
      const prompt = new BytesPrompt(bytes, {
        hasher: blockHasher,
        model: "m",
        cacheSalt: undefined,
      });
      const total = Math.floor(bytes.length / (4 * blockTokens));
      const tokens = estimatingTokenizer.tokenize(bytes);
      const index = newIndex();
      for (let first = 0; first < total; first += cut) {
        const end = Math.min(total, first + cut);
        index.apply(0, [
          {
            kind: "stored",
            blockHashes: Array.from({ length: end - first }, (_, i) => first + i),
            parentHash: first === 0 ? undefined : first - 1,
            // A view into a larger buffer, as a transport hands it over.
            tokenIds: tokens.subarray(first * blockTokens, end * blockTokens),
            blockTokens,
          },
        ]);
      }
      const ratios = new Float64Array(1);
      index.apply(0, total === 0 ? [cleared] : []);
      index.matchRatios({ prompt }, ratios);
      assert.equal(ratios[0], total === 0 ? 0 : 1);
    }),
  );
});
