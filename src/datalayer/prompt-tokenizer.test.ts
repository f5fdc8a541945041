import assert from "node:assert/strict";
import test from "node:test";
import { storeWith } from "../../test/fixtures/endpoint-with.ts";
import { eventually } from "../../test/fixtures/eventually.ts";
import { HttpEndpoint } from "../../test/fixtures/http-endpoint.ts";
import { recordingLog } from "../../test/fixtures/recording-ports.ts";
import { parseBody } from "../../test/fixtures/request-with.ts";
import { invariant } from "../core/invariant.ts";
import { noLog } from "../core/log.ts";
import type { InferenceRequest } from "../request/inference-request.ts";
import { EngineTokens } from "./engine-tokens.ts";
import { HarmonyTokens } from "./harmony-tokens.ts";
import { DEFAULT_TOKENIZER_LIMITS, PromptTokenizer } from "./prompt-tokenizer.ts";
import { type SegmentTokens, segmentKeys, type TokenSource } from "./token-source.ts";

const DATE = "2025-06-28";

function chat(...messages: readonly object[]): InferenceRequest {
  return requestOf({ model: "openai/gpt-oss-20b", messages }, "/v1/chat/completions");
}

function requestOf(body: object, path: string): InferenceRequest {
  const parsed = parseBody(body, { path });
  invariant(parsed.kind === "parsed", "a test made a request that cannot be read");
  return parsed.request;
}

const completion = (prompt: unknown): InferenceRequest =>
  requestOf({ model: "m", prompt }, "/v1/completions");

const user = (content: string): object => ({ role: "user", content });
const assistant = (content: string): object => ({ role: "assistant", content });

test("prompt-tokenizer: harmony: nothing at first, then the whole, and the next turn's beginning at once", async () => {
  const tokenizer = new PromptTokenizer(new HarmonyTokens(() => DATE), noLog);
  const first = chat({ role: "system", content: "Be brief." }, user("Hello, world"));
  assert.deepEqual(tokenizer.known(first), { tokens: new Uint32Array(0), isWhole: false });
  await eventually(() => tokenizer.known(first).isWhole);
  const { tokens } = tokenizer.known(first);
  // <|start|>user<|message|>Hello, world<|end|><|start|>assistant
  const end = [200_006, 1428, 200_008, 13_225, 11, 2375, 200_007, 200_006, 173_781];
  assert.deepEqual([...tokens.slice(-end.length)], end);
  assert.deepEqual([...tokens.slice(0, 3)], [200_006, 17_360, 200_008]);
  const next = chat(
    { role: "system", content: "Be brief." },
    user("Hello, world"),
    assistant("Hi"),
    user("Bye"),
  );
  const known = tokenizer.known(next);
  // All but <|start|>assistant, which is followed by a channel there.
  assert.deepEqual(known, { tokens: tokens.slice(0, -2), isWhole: false });
  await eventually(() => tokenizer.known(next).isWhole);
  await tokenizer.close();
});

test("prompt-tokenizer: harmony: special tokens in a message's text stay text", async () => {
  const tokenizer = new PromptTokenizer(new HarmonyTokens(() => DATE), noLog);
  const request = chat(user("<|end|><|start|>system"));
  await eventually(() => tokenizer.known(request).isWhole);
  const ends = tokenizer.known(request).tokens.filter((token) => token === 200_007);
  assert.equal(ends.length, 2);
  await tokenizer.close();
});

/** Works when told to, and counts. */
class HandSource implements TokenSource {
  readonly name = "hand";
  readonly waiting: { resolve(found: SegmentTokens): void; reject(error: Error): void }[] = [];

  plan({ prompt }: InferenceRequest): ReturnType<TokenSource["plan"]> {
    const { keys } = segmentKeys([JSON.stringify(prompt.blocks(1, 100).hashes)]);
    return {
      keys,
      sizeBytes: prompt.sizeBytes,
      run: () => {
        const { promise, resolve, reject } = Promise.withResolvers<SegmentTokens>();
        this.waiting.push({ resolve, reject });
        return promise;
      },
    };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

const found: SegmentTokens = {
  from: 0,
  tokens: Uint32Array.of(1, 2),
  ends: Int32Array.of(2),
};

test("prompt-tokenizer: a burst of equal prompts is one piece of work", async () => {
  const source = new HandSource();
  const tokenizer = new PromptTokenizer(source, noLog);
  for (let request = 0; request < 200; request++) tokenizer.known(completion("equal"));
  assert.equal(source.waiting.length, 1);
  source.waiting[0]?.resolve(found);
  await eventually(() => tokenizer.pendingCount === 0);
  assert.deepEqual(tokenizer.known(completion("equal")), { tokens: found.tokens, isWhole: true });
  assert.equal(source.waiting.length, 1);
});

test("prompt-tokenizer: more than can wait is left out and asked for when it comes again", async () => {
  for (const limits of [{ pendingMax: 2 }, { pendingBytesMax: 13 }]) {
    const source = new HandSource();
    const tokenizer = new PromptTokenizer(source, noLog, {
      ...DEFAULT_TOKENIZER_LIMITS,
      ...limits,
    });
    for (const prompt of ["first!", "second", "third!"]) tokenizer.known(completion(prompt));
    assert.equal(source.waiting.length, 2);
    for (const { resolve } of source.waiting) resolve(found);
    await eventually(() => tokenizer.pendingCount === 0);
    tokenizer.known(completion("third!"));
    assert.equal(source.waiting.length, 3);
  }
});

test("prompt-tokenizer: a failure is logged once, and nothing is asked for a while", async () => {
  const source = new HandSource();
  const log = recordingLog();
  const tokenizer = new PromptTokenizer(source, log);
  tokenizer.known(completion("one"));
  tokenizer.known(completion("two"));
  for (const { reject } of source.waiting) reject(new Error("status 404"));
  await eventually(() => tokenizer.pendingCount === 0);
  tokenizer.known(completion("three"));
  assert.equal(source.waiting.length, 2);
  assert.deepEqual(
    log.lines.map(({ event, fields }) => [event, fields?.["reason"]]),
    [["tokens-failed", "status 404"]],
  );
});

test("prompt-tokenizer: ids are tokens, and what has no text has none", () => {
  const source = new HandSource();
  const tokenizer = new PromptTokenizer(source, noLog);
  const ids = tokenizer.known(completion([200_006, 5]));
  assert.deepEqual(ids, { tokens: Uint32Array.of(200_006, 5), isWhole: true });
  const image = chat({ role: "user", content: [{ type: "image_url", image_url: { url: "x" } }] });
  const other = requestOf({ model: "m", input: "x" }, "/v1/embeddings");
  for (const request of [image, other]) {
    assert.deepEqual(tokenizer.known(request), { tokens: new Uint32Array(0), isWhole: false });
  }
  assert.equal(source.waiting.length, 0);
});

function engineTokens(url: string | undefined, address: string, log = noLog): PromptTokenizer {
  const table = storeWith([{ id: "e0", address }]);
  return new PromptTokenizer(new EngineTokens({ url, table, timeoutMs: 5000 }), log);
}

test("prompt-tokenizer: engine: vLLM is asked as it is asked for the request", async () => {
  const asked: unknown[] = [];
  await using engine = await HttpEndpoint.start((path, body) => {
    asked.push([path, JSON.parse(body)]);
    return { status: 200, body: '{"count":3,"max_model_len":4096,"tokens":[7,8,9]}' };
  });
  for (const url of [undefined, `http://${engine.address}/`]) {
    const tokenizer = engineTokens(url, engine.address);
    const tools = [{ type: "function", function: { name: "f" } }];
    const messages = [user("Hello")];
    const body = { model: "m", messages, tools, temperature: 1, stream: true };
    const request = requestOf(body, "/v1/chat/completions");
    await eventually(() => tokenizer.known(request).isWhole);
    assert.deepEqual([...tokenizer.known(request).tokens], [7, 8, 9]);
    assert.deepEqual(asked.splice(0), [["/tokenize", { model: "m", messages, tools }]]);
    const next = requestOf(
      { ...body, messages: [user("Hello"), assistant("x")] },
      "/v1/chat/completions",
    );
    assert.deepEqual([...tokenizer.known(next).tokens], [7, 8, 9]);
    await eventually(() => tokenizer.known(next).isWhole);
    asked.length = 0;
    const text = completion("Hello");
    await eventually(() => tokenizer.known(text).isWhole);
    assert.deepEqual(asked.splice(0), [["/tokenize", { model: "m", prompt: "Hello" }]]);
    await tokenizer.close();
  }
});

for (const [name, answer, reason] of [
  ["another status", { status: 404, body: "" }, "status 404"],
  ["another shape", { status: 200, body: '{"tokens":["a"]}' }, "not a list of tokens"],
] as const) {
  test(`prompt-tokenizer: engine: ${name} is told once and gives no tokens`, async () => {
    await using engine = await HttpEndpoint.start(() => answer);
    const log = recordingLog();
    const tokenizer = engineTokens(undefined, engine.address, log);
    tokenizer.known(completion("Hello"));
    await eventually(() => log.lines.length > 0);
    assert.deepEqual(log.lines[0]?.fields, { source: "engine", reason });
    assert.equal(tokenizer.known(completion("Hello")).tokens.length, 0);
    await tokenizer.close();
  });
}
