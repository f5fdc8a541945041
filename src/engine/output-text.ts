import { SeededRng } from "../core/rng.ts";
import { mixKeys } from "./mix-keys.ts";

/** What decides how long an answer gets. */
export interface OutputLengthRequest {
  readonly seed: number;
  /** Key of the whole prompt, an integer below 2^53. */
  readonly promptKey: number;
  /** The client's limit, or what the context leaves where the client gave none; at least 1. */
  readonly maxTokens: number;
  readonly minTokens: number;
  /** Generate up to the limit. */
  readonly ignoreEos: boolean;
}

/** Length of an answer and why it ended. */
export interface OutputLength {
  readonly tokens: number;
  readonly finishReason: "stop" | "length";
}

/** Draws a plausible answer length: log-normal with mean 200, the same for the same prompt and seed. */
export function outputLength(request: OutputLengthRequest): OutputLength {
  const { seed, promptKey, maxTokens, minTokens, ignoreEos } = request;
  if (ignoreEos) return { tokens: maxTokens, finishReason: "length" };
  const rng = new SeededRng(seed, promptKey);
  const radius = Math.sqrt(-2 * Math.log(1 - rng.next()));
  const normal = radius * Math.cos(2 * Math.PI * rng.next());
  const drawn = Math.round(Math.exp(LENGTH_MU + LENGTH_SIGMA * normal));
  const tokens = Math.max(drawn, minTokens, 1);
  return tokens < maxTokens
    ? { tokens, finishReason: "stop" }
    : { tokens: maxTokens, finishReason: "length" };
}

/** Text of the token at `index` of an answer: a word with its leading space, or a mark. */
export function tokenText(promptKey: number, seed: number, index: number): string {
  const stream = mixKeys(promptKey, seed);
  const sentence = Math.floor(index / SENTENCE_TOKENS);
  const template = pick(SENTENCES, mixKeys(stream, 2 * sentence + 1));
  const slot = template[index % SENTENCE_TOKENS] ?? "";
  const word = WORDS[slot] === undefined ? slot : pick(WORDS[slot], mixKeys(stream, 2 * index));
  return index === 0 || slot === "." || slot === "," ? word : ` ${word}`;
}

function pick<T>(list: readonly T[], key: number): T {
  return list[key % list.length] as T;
}

/** Mean 200 is exp(mu + sigma^2 / 2); Azure's 2023 chat trace has mean 211 and standard deviation 163. */
const LENGTH_SIGMA = 0.7;
const LENGTH_MU = Math.log(200) - LENGTH_SIGMA ** 2 / 2;

/** All sentences have one length, so that any token can be written without those before it. */
const SENTENCE_TOKENS = 10;
const SENTENCES: readonly (readonly string[])[] = [
  "The $adjective $noun $acts the $noun before the $noun .",
  "When the $noun $rests , the $adjective $noun $rests .",
  "Every $adjective $noun $acts a $noun and a $noun .",
  "This $noun $rests $how because the $noun $acts it .",
  "In the $adjective $noun , a $noun $how $rests .",
  "The $noun $acts the $noun , then it $rests .",
].map((sentence) => sentence.split(" "));

// Nouns and adjectives begin with a consonant, since "a" may stand before them.
const WORDS: Readonly<Record<string, readonly string[]>> = {
  $adjective: words("quiet small bright patient narrow steady green distant careful warm"),
  $noun: words(
    "river signal train garden market teacher window letter bridge harbor machine lantern " +
      "valley station worker question story melody forest village",
  ),
  $acts: words("follows reaches carries changes meets guides finds crosses greets measures"),
  $rests: words("waits moves sleeps returns grows settles turns shines stops remains"),
  $how: words("slowly quietly often gently soon rarely calmly"),
};

function words(list: string): readonly string[] {
  return list.split(" ");
}
