import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import OpenAI from "openai";
import { clientOf, engineFor, jsonOf, post, until } from "./engine-fixture.test.ts";

test("engine-routes: models, health, ping and version answer as vLLM's do", async (t) => {
  const server = await engineFor(t);
  const models = await clientOf(server).models.list();
  const [model] = models.data;
  assert.equal(model?.id, "qwen");
  assert.equal(model?.owned_by, "vllm");
  assert.equal((model as unknown as { max_model_len: number }).max_model_len, 8192);
  for (const [path, text] of [
    ["/health", /^$/],
    ["/ping", /^$/],
    ["/version", /^\{"version":"[\d.]+\+switchyard"\}$/],
  ] as const) {
    const answer = await fetch(`http://${server.address}${path}`);
    assert.equal(answer.status, 200);
    assert.match(await answer.text(), text);
  }
});

test("engine-routes: errors have vLLM's status, type and words", async (t) => {
  const server = await engineFor(t);
  const long = "x".repeat(4 * 8192);
  const chat = "/v1/chat/completions";
  const messages = [{ role: "user", content: "hi" }];
  const cases: readonly [string, unknown, number, string, RegExp][] = [
    ["/v1/completions", "{oops", 400, "BadRequestError", /JSON decode error/],
    ["/v1/completions", "[1]", 400, "BadRequestError", /must be a JSON object/],
    ["/v1/completions", { prompt: long }, 400, "BadRequestError", /maximum context length is 8192/],
    ["/v1/completions", { prompt: "a", max_tokens: 8192 }, 400, "BadRequestError", /too large/],
    ["/v1/completions", { prompt: "a", max_tokens: 0 }, 400, "BadRequestError", /at least 1/],
    ["/v1/completions", { prompt: "a", n: 0 }, 400, "BadRequestError", /n must be at least 1/],
    ["/v1/completions", { prompt: "a", n: 5000 }, 400, "BadRequestError", /at most 1024/],
    ["/v1/completions", { prompt: "" }, 400, "BadRequestError", /prompt cannot be empty/],
    ["/v1/completions", { prompt: 3 }, 400, "BadRequestError", /prompt must be/],
    [
      "/v1/completions",
      { prompt: "a", model: "other" },
      404,
      "NotFoundError",
      /^The model `other` does not exist\.$/,
    ],
    [chat, {}, 400, "BadRequestError", /messages/],
    [
      chat,
      { messages, max_tokens: 2, min_tokens: 3 },
      400,
      "BadRequestError",
      /less than or equal to max_tokens=2, got 3/,
    ],
    [
      chat,
      { messages, max_tokens: "2" },
      400,
      "BadRequestError",
      /max_tokens must be a whole number/,
    ],
    [chat, { messages, stream_options: {} }, 400, "BadRequestError", /`stream=True`/],
    [chat, { messages, tool_choice: "required" }, 400, "BadRequestError", /`tools` must be set/],
    ["/v1/embeddings", { input: "a" }, 404, "NotFoundError", /^Not Found$/],
    ["/v1/models", {}, 405, "MethodNotAllowedError", /^Method Not Allowed$/],
  ];
  for (const [path, body, status, type, message] of cases) {
    const answer = await post(server, path, body);
    const { error } = await jsonOf(answer);
    assert.equal(answer.status, status, `${path} ${JSON.stringify(body).slice(0, 80)}`);
    assert.equal(error.type, type);
    assert.equal(error.code, status);
    assert.match(error.message, message);
  }
  assert.equal(server.counts()?.sequences, 0);
});

test("engine-routes: an error before the first token of a stream has its true status", async (t) => {
  const server = await engineFor(t);
  const client = clientOf(server);
  const asked = client.completions.create({ model: "nobody", prompt: "a", stream: true });
  await assert.rejects(asked, (error: unknown) => {
    assert.ok(error instanceof OpenAI.NotFoundError);
    return error.status === 404;
  });
});

test("engine-routes: a body above 64 MiB is refused before it is read to its end", async (t) => {
  const server = await engineFor(t);
  const socket = connect(server.port, "127.0.0.1");
  t.after(() => socket.destroy());
  let answer = "";
  socket.on("data", (bytes) => {
    answer += bytes.toString();
  });
  const sizeBytes = 65 * 2 ** 20;
  socket.write(
    `POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-length: ${sizeBytes + 9}\r\n\r\n`,
  );
  socket.write(Buffer.alloc(sizeBytes, 0x20));
  socket.on("error", () => undefined);
  await until(() => answer.includes("\r\n\r\n") && answer.includes("}}"));
  assert.match(answer, /^HTTP\/1\.1 413 /);
  assert.match(answer, /larger than 67108864 bytes/);
});
