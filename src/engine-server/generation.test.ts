import assert from "node:assert/strict";
import { test } from "node:test";
import type OpenAI from "openai";
import { clientOf, engineFor, jsonOf, post } from "./engine-fixture.test.ts";

const LONG_PROMPT = "The river follows the garden before the market. ".repeat(40);
const LONG_TOKENS = LONG_PROMPT.length / 4;

test("generation: a chat answer has the shape that the official client reads", async (t) => {
  const server = await engineFor(t);
  const answer = await clientOf(server).chat.completions.create({
    model: "qwen",
    messages: [{ role: "user", content: "hello" }],
    max_tokens: 5,
  });
  const [choice] = answer.choices;
  assert.match(answer.id, /^chatcmpl-/);
  assert.equal(answer.object, "chat.completion");
  assert.equal(answer.model, "qwen");
  assert.equal(choice?.message.role, "assistant");
  assert.equal(choice?.message.content?.split(/(?= )|(?=[.,])/).length, 5);
  assert.equal(choice?.finish_reason, "length");
  // <|im_start|>user\nhello<|im_end|>\n is 34 bytes, and four bytes are a token.
  assert.deepEqual(answer.usage, {
    prompt_tokens: 9,
    completion_tokens: 5,
    total_tokens: 14,
    prompt_tokens_details: { cached_tokens: 0 },
  });
  assert.ok(!("kv_transfer_params" in answer));
});

test("generation: a stream gives the same text, a chunk a token, and usage at its end", async (t) => {
  const server = await engineFor(t);
  const client = clientOf(server);
  const body = {
    model: "qwen",
    messages: [{ role: "user" as const, content: "hello" }],
    max_tokens: 12,
    seed: 3,
  };
  const whole = await client.chat.completions.create(body);
  const chunks: OpenAI.ChatCompletionChunk[] = [];
  const stream = await client.chat.completions.create({
    ...body,
    stream: true,
    stream_options: { include_usage: true },
  });
  for await (const chunk of stream) chunks.push(chunk);
  const tokens = chunks.slice(1, -2).map((chunk) => chunk.choices[0]?.delta.content);
  assert.equal(chunks.length, 1 + 12 + 1 + 1);
  assert.deepEqual(chunks[0]?.choices[0]?.delta, { role: "assistant", content: "" });
  assert.equal(tokens.join(""), whole.choices[0]?.message.content);
  assert.deepEqual(chunks.at(-2)?.choices[0]?.delta, {});
  assert.equal(chunks.at(-2)?.choices[0]?.finish_reason, "length");
  assert.deepEqual(chunks.at(-1)?.choices, []);
  assert.equal(chunks.at(-1)?.usage?.completion_tokens, 12);
  assert.equal(new Set(chunks.map((chunk) => chunk.id)).size, 1);
  assert.ok(chunks.slice(0, -1).every((chunk) => chunk.usage === undefined));
});

test("generation: the wire of a completion stream is SSE that ends with [DONE]", async (t) => {
  const server = await engineFor(t);
  const answer = await post(server, "/v1/completions", {
    prompt: "abcdefgh",
    max_tokens: 3,
    stream: true,
    stream_options: { include_usage: true, continuous_usage_stats: true },
  });
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get("content-type"), "text/event-stream; charset=utf-8");
  const events = (await answer.text()).split("\n\n");
  assert.deepEqual(events.slice(-2), ["data: [DONE]", ""]);
  const chunks = events.slice(0, -2).map((event) => JSON.parse(event.slice("data: ".length)));
  const counts = chunks.map((chunk) => chunk.usage.completion_tokens);
  assert.deepEqual(counts, [1, 2, 3, 3, 3]);
  assert.deepEqual(chunks[0].usage, { prompt_tokens: 2, completion_tokens: 1, total_tokens: 3 });
  assert.ok(chunks.every((chunk) => chunk.object === "text_completion"));
  assert.equal(chunks[3].choices[0].finish_reason, "length");
});

test("generation: text depends on prompt and seed alone", async (t) => {
  const [first, second] = [await engineFor(t), await engineFor(t)];
  const ask = async (server: typeof first, prompt: string, seed: number): Promise<string> => {
    const body = { model: "qwen", prompt, seed, max_tokens: 20 };
    return (await clientOf(server).completions.create(body)).choices[0]?.text ?? "";
  };
  const text = await ask(first, "one", 1);
  assert.equal(await ask(first, "one", 1), text);
  assert.equal(await ask(second, "one", 1), text);
  assert.notEqual(await ask(first, "one", 2), text);
  assert.notEqual(await ask(first, "two", 1), text);
});

test("generation: cached_tokens rises on repetition, unless the salt differs", async (t) => {
  const server = await engineFor(t);
  const cached = async (cacheSalt?: string): Promise<number | undefined> => {
    const answer = await post(server, "/v1/completions", {
      prompt: LONG_PROMPT,
      max_tokens: 1,
      cache_salt: cacheSalt,
    });
    return (await jsonOf(answer)).usage.prompt_tokens_details.cached_tokens;
  };
  assert.equal(await cached(), 0);
  // Full blocks of 16 tokens, without the last token.
  assert.equal(await cached(), Math.floor((LONG_TOKENS - 1) / 16) * 16);
  assert.equal(await cached("tenant"), 0);
  assert.ok(Number(await cached("tenant")) > 0);
});

test("generation: limits decide the length and the finish reason", async (t) => {
  const server = await engineFor(t);
  const ask = async (limits: object): Promise<{ tokens: number; reason: string }> => {
    const answer = await post(server, "/v1/chat/completions", {
      messages: [{ role: "user", content: "count" }],
      ...limits,
    });
    const json = await jsonOf(answer);
    return {
      tokens: json.usage.completion_tokens,
      reason: json.choices[0]?.finish_reason ?? "",
    };
  };
  const free = await ask({});
  assert.equal(free.reason, "stop");
  assert.deepEqual(await ask({ max_tokens: free.tokens + 1 }), free);
  assert.deepEqual(await ask({ max_tokens: 2 }), { tokens: 2, reason: "length" });
  assert.deepEqual(await ask({ max_tokens: 9, max_completion_tokens: 3 }), {
    tokens: 3,
    reason: "length",
  });
  const longer = { tokens: free.tokens + 50, reason: "stop" };
  assert.deepEqual(await ask({ min_tokens: free.tokens + 50 }), longer);
  assert.deepEqual(await ask({ max_tokens: 900, ignore_eos: true }), {
    tokens: 900,
    reason: "length",
  });
});

test("generation: array prompts and n give choices in order and count prompts once", async (t) => {
  const client = clientOf(await engineFor(t));
  const cases = [
    { prompt: "abcd", n: 1, promptTokens: 1, choices: 1 },
    { prompt: ["abcd", "abcdefgh"], n: 1, promptTokens: 3, choices: 2 },
    { prompt: [1, 2, 3], n: 1, promptTokens: 3, choices: 1 },
    { prompt: [[1, 2, 3], [4]], n: 2, promptTokens: 4, choices: 4 },
    { prompt: "abcd", n: 3, promptTokens: 1, choices: 3 },
  ];
  for (const { prompt, n, promptTokens, choices } of cases) {
    const body = { model: "qwen", prompt, n, max_tokens: 4 };
    const answer = await client.completions.create(body);
    assert.deepEqual(
      answer.choices.map((choice) => choice.index),
      Array.from({ length: choices }, (_, index) => index),
    );
    assert.equal(answer.usage?.prompt_tokens, promptTokens);
    assert.equal(answer.usage?.completion_tokens, 4 * choices);
  }
});

test("generation: n streams go by their index and differ", async (t) => {
  const client = clientOf(await engineFor(t));
  const stream = await client.completions.create({
    model: "qwen",
    prompt: "abcd",
    n: 3,
    max_tokens: 10,
    stream: true,
  });
  const texts = ["", "", ""];
  for await (const chunk of stream) {
    for (const choice of chunk.choices) texts[choice.index] += choice.text;
  }
  assert.equal(new Set(texts).size, 3);
  assert.ok(texts.every((text) => text.length > 10));
});

const TOOLS = ["look_up", "book"].map((name) => ({
  type: "function" as const,
  function: {
    name,
    parameters: {
      type: "object",
      properties: { city: { type: "string" }, days: { type: "integer" }, note: { type: "string" } },
      required: ["city", "days"],
    },
  },
}));

test("generation: a required or named tool is called with its required arguments", async (t) => {
  const client = clientOf(await engineFor(t));
  const named = { type: "function" as const, function: { name: "book" } };
  for (const { choice, name, reason } of [
    { choice: "required" as const, name: "look_up", reason: "tool_calls" },
    { choice: named, name: "book", reason: "stop" },
  ]) {
    const body = {
      model: "qwen",
      messages: [{ role: "user" as const, content: "go" }],
      tools: TOOLS,
      tool_choice: choice,
    };
    const whole = await client.chat.completions.create(body);
    const [call] = whole.choices[0]?.message.tool_calls ?? [];
    assert.ok(call?.type === "function");
    assert.equal(call.function.name, name);
    assert.deepEqual(JSON.parse(call.function.arguments), { city: "text", days: 1 });
    assert.equal(whole.choices[0]?.finish_reason, reason);

    const final = await client.chat.completions.stream(body).finalChatCompletion();
    const [streamed] = final.choices[0]?.message.tool_calls ?? [];
    assert.ok(streamed?.type === "function");
    assert.equal(streamed.function.name, name);
    assert.equal(streamed.function.arguments, call.function.arguments);
  }
});

test("generation: tools without a forced choice give plain text", async (t) => {
  const client = clientOf(await engineFor(t));
  const answer = await client.chat.completions.create({
    model: "qwen",
    messages: [{ role: "user", content: "go" }],
    tools: TOOLS,
    max_tokens: 3,
  });
  assert.ok((answer.choices[0]?.message.content ?? "").length > 0);
  assert.equal(answer.choices[0]?.message.tool_calls, undefined);
});
