import assert from "node:assert/strict";
import { test } from "node:test";
import { engineFor, post, until } from "./engine-fixture.test.ts";
import type { KvEventBatch } from "./kv-event-publisher.ts";
import { detokenize, tokenize } from "./tokenize.ts";

for (const { name, body, tokens, text } of [
  { name: "a prompt", body: { prompt: "aaaabbbb" }, tokens: [0x61616161, 0x62626262] },
  { name: "a last token that is not full", body: { prompt: "aaaab" }, tokens: [0x61616161, 0x62] },
  { name: "nothing", body: { prompt: "" }, tokens: [] },
  {
    name: "messages",
    body: { messages: [{ role: "u", content: "x" }] },
    text: "<|im_start|>u\nx<|im_end|>\n",
  },
] as readonly { name: string; body: object; tokens?: readonly number[]; text?: string }[]) {
  test(`tokenize: ${name}`, () => {
    const answer = tokenize(body as Record<string, unknown>, 4096);
    assert.ok("tokens" in answer);
    if (tokens !== undefined) assert.deepEqual(answer.tokens, tokens);
    assert.equal(answer.count, answer.tokens.length);
    assert.equal(answer.max_model_len, 4096);
    assert.equal(answer.token_strs, null);
    const back = detokenize({ tokens: answer.tokens });
    const prompt = "prompt" in body ? String(body.prompt) : text;
    assert.deepEqual(back, { prompt });
  });
}

test("tokenize: the text of each token on request", () => {
  const answer = tokenize({ prompt: "aaaab", return_token_strs: true }, 10);
  assert.deepEqual("token_strs" in answer && answer.token_strs, ["aaaa", "b"]);
});

for (const { name, answer } of [
  { name: "neither prompt nor messages", answer: tokenize({}, 10) },
  { name: "a prompt that is no text", answer: tokenize({ prompt: [1, 2] }, 10) },
  { name: "no messages", answer: tokenize({ messages: [] }, 10) },
  { name: "no tokens", answer: detokenize({}) },
  { name: "a fraction", answer: detokenize({ tokens: [1.5] }) },
  { name: "a token over 32 bits", answer: detokenize({ tokens: [2 ** 32] }) },
]) {
  test(`tokenize: refused: ${name}`, () => {
    assert.equal("status" in answer && answer.status, 400);
  });
}

test("tokenize: the engine answers with the tokens that its KV events report", async (t) => {
  const batches: KvEventBatch[] = [];
  const onKvEvents = (batch: KvEventBatch): void => void batches.push(batch);
  const server = await engineFor(t, { onKvEvents }, { isKvEventsEnabled: true });
  const prompt = "The river follows the garden before the market. ".repeat(20);
  await (await post(server, "/v1/completions", { prompt, max_tokens: 1 })).text();
  await until(() => batches.length > 0);
  const answer = await post(server, "/tokenize", { model: "qwen", prompt });
  assert.equal(answer.status, 200);
  const { tokens } = (await answer.json()) as { tokens: readonly number[] };
  const [stored] = batches.flatMap(({ events }) => events);
  assert.ok(stored?.kind === "stored");
  assert.deepEqual([...stored.tokenIds], tokens.slice(0, stored.tokenIds.length));
  const back = await post(server, "/detokenize", { model: "qwen", tokens });
  assert.deepEqual(await back.json(), { prompt });
  assert.equal((await post(server, "/tokenize", { model: "other", prompt })).status, 404);
});
