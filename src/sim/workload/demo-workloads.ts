import { segmentId, type WorkloadDefinition } from "./request-source.ts";

/** Tokens in a word of English (llm-d demo, KV-cache fill). */
const TOKENS_PER_WORD = 1.3;
/** Prompts between a prompt and its repetition (llm-d demo). */
const REPEAT_GAP = 10;

const FIXED = 1;
const SHORT = 2;
const LONG = 3;
const PREFIX = 4;
const CONTINUATION = 5;
const FILL = 6;

/** The workloads of the llm-d demo, by its parameter names. */
export const DEMO_WORKLOADS: readonly WorkloadDefinition[] = [
  {
    name: "fixed",
    description: "unrelated prompts of one size",
    params: { promptTokens: 1000, outputTokens: 1000 },
    *open(params) {
      const [tokenCount, outputTokens] = [params("promptTokens"), params("outputTokens")];
      for (let index = 0; ; index++) {
        yield { segments: [{ id: segmentId(FIXED, index), tokenCount }], outputTokens };
      }
    },
  },
  {
    name: "heterogeneous",
    description: "unrelated short prompts, and a long one in every ten",
    params: { shortWords: 500, longWords: 10_000, longEvery: 10, outputTokens: 250 },
    *open(params) {
      const outputTokens = params("outputTokens");
      for (let index = 0; ; index++) {
        const isLong = index % params("longEvery") === 0;
        const tokenCount = wordTokens(params(isLong ? "longWords" : "shortWords"));
        const id = segmentId(isLong ? LONG : SHORT, index);
        yield { segments: [{ id, tokenCount }], outputTokens };
      }
    },
  },
  {
    name: "prefix-pairs",
    description: "prompts, then each again with more behind it, in chunks",
    params: { prefixWords: 5000, moreWords: 1000, pairs: 500, chunk: 100, outputTokens: 250 },
    *open(params) {
      const [pairs, chunk] = [params("pairs"), params("chunk")];
      const outputTokens = params("outputTokens");
      const prefixOf = (pair: number) => ({
        id: segmentId(PREFIX, pair),
        tokenCount: wordTokens(params("prefixWords")),
      });
      const moreTokens = wordTokens(params("moreWords"));
      for (let from = 0; from < pairs; from += chunk) {
        const to = Math.min(pairs, from + chunk);
        for (let pair = from; pair < to; pair++) yield { segments: [prefixOf(pair)], outputTokens };
        for (let pair = from; pair < to; pair++) {
          const more = { id: segmentId(CONTINUATION, pair), tokenCount: moreTokens };
          yield { segments: [prefixOf(pair), more], outputTokens };
        }
      }
      return undefined;
    },
  },
  {
    name: "kv-fill",
    description: "as many unrelated prompts as the caches hold, each repeated ten prompts later",
    params: { promptTokens: 4000, fillRatio: 0.8, outputTokens: 16 },
    *open(params, _rng, facts) {
      const tokenCount = params("promptTokens");
      const outputTokens = params("outputTokens");
      const perReplica = Math.floor((facts.kvTokens * params("fillRatio")) / tokenCount);
      const count = perReplica * facts.replicas;
      const prompt = (index: number) => ({
        segments: [{ id: segmentId(FILL, index), tokenCount }],
        outputTokens,
      });
      for (let index = 0; index < count + REPEAT_GAP; index++) {
        if (index < count) yield prompt(index);
        if (index >= REPEAT_GAP && index - REPEAT_GAP < count) yield prompt(index - REPEAT_GAP);
      }
      return undefined;
    },
  },
];

function wordTokens(words: number): number {
  return Math.round(words * TOKENS_PER_WORD);
}
