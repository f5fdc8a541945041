import assert from "node:assert/strict";
import test from "node:test";
import { parseBody } from "../../test/fixtures/request-with.ts";
import type { InferenceRequest } from "./inference-request.ts";
import { kindOf } from "./parse-request.ts";

const MESSAGES = [{ role: "user", content: "hi" }];

function parsed(body: Record<string, unknown>, options = {}): InferenceRequest {
  const result = parseBody({ model: "m", messages: MESSAGES, ...body }, options);
  assert.equal(result.kind, "parsed");
  return (result as Extract<typeof result, { kind: "parsed" }>).request;
}

const kinds: readonly [string, string][] = [
  ["/v1/chat/completions", "chat"],
  ["/v1/chat/completions?x=1", "chat"],
  ["/v1/completions", "completion"],
  ["/v1/completions/", "other"],
  ["/v1/embeddings", "other"],
];
for (const [path, want] of kinds) {
  test(`parse-request: ${path} is ${want}`, () => assert.equal(kindOf(path), want));
}

const encoder = new TextEncoder();
const invalid: readonly { name: string; body: unknown; param: string | null }[] = [
  { name: "no JSON", body: "{", param: null },
  { name: "nothing", body: "", param: null },
  { name: "an array", body: "[]", param: null },
  { name: "a string", body: '"text"', param: null },
  { name: "null", body: "null", param: null },
  {
    name: "bytes that are not UTF-8",
    body: new Uint8Array([...encoder.encode('{"model":"'), 0xff, ...encoder.encode('"}')]),
    param: null,
  },
  { name: "no model", body: { messages: MESSAGES }, param: "model" },
  { name: "an empty model", body: { model: "", messages: MESSAGES }, param: "model" },
  { name: "a model that is no string", body: { model: 7, messages: MESSAGES }, param: "model" },
  { name: "no messages", body: { model: "m" }, param: "messages" },
];
for (const { name, body, param } of invalid) {
  test(`parse-request: ${name} is refused`, () => {
    const result = parseBody(body);
    assert.equal(result.kind, "invalid");
    assert.equal((result as { param: unknown }).param, param);
  });
}

test("parse-request: a refusal repeats nothing of the body", () => {
  const result = parseBody({ model: "m", messages: "secret text" });
  assert.equal(JSON.stringify(result).includes("secret"), false);
});

for (const value of ["true", "FALSE", "True"]) {
  test(`parse-request: X-Prefill ${value} is let through`, () => {
    assert.equal(parsed({}, { headers: { "x-prefill": value } }).header("x-prefill"), value);
  });
}
for (const value of ["", "yes", "1", "true, false"]) {
  test(`parse-request: X-Prefill ${JSON.stringify(value)} is refused`, () => {
    const result = parseBody(
      { model: "m", messages: MESSAGES },
      { headers: { "x-prefill": value } },
    );
    assert.deepEqual(result, {
      kind: "invalid",
      message: "X-Prefill must be true or false",
      param: null,
    });
  });
}
test("parse-request: two X-Prefill headers are refused", () => {
  const headers = { "x-prefill": ["true", "false"] };
  assert.equal(parseBody({ model: "m", messages: MESSAGES }, { headers }).kind, "invalid");
});

const outputLimits: readonly [Record<string, unknown>, number | undefined][] = [
  [{}, undefined],
  [{ max_tokens: 5 }, 5],
  [{ max_completion_tokens: 7, max_tokens: 5 }, 7],
  [{ max_tokens: 0 }, undefined],
  [{ max_tokens: -1 }, undefined],
  [{ max_tokens: 1.5 }, undefined],
  [{ max_tokens: "5" }, undefined],
];
for (const [body, want] of outputLimits) {
  test(`parse-request: the output limit of ${JSON.stringify(body)} is ${want}`, () => {
    assert.equal(parsed(body).maxOutputTokens, want);
  });
}

const streams: readonly [Record<string, unknown>, boolean, boolean][] = [
  [{}, false, false],
  [{ stream: true }, true, false],
  [{ stream: "true" }, false, false],
  [{ stream: true, stream_options: { include_usage: true } }, true, true],
  [{ stream: true, stream_options: { include_usage: 1 } }, true, false],
  [{ stream: true, stream_options: null }, true, false],
];
for (const [body, isStreaming, isUsageStreamed] of streams) {
  test(`parse-request: ${JSON.stringify(body)} streams: ${isStreaming}, usage: ${isUsageStreamed}`, () => {
    const request = parsed(body);
    assert.deepEqual(
      [request.isStreaming, request.isUsageStreamed],
      [isStreaming, isUsageStreamed],
    );
  });
}

test("parse-request: of duplicate keys the last counts", () => {
  const result = parseBody('{"model":"a","prompt":"x","model":"b"}', { path: "/v1/completions" });
  assert.equal(result.kind === "parsed" && result.request.model, "b");
});

test("parse-request: several prompts are one after the other", () => {
  const request = parsed({ prompt: ["ab", "cd"] }, { path: "/v1/completions" });
  assert.equal(request.prompt.sizeBytes, 4);
  const whole = parsed({ prompt: "abcd" }, { path: "/v1/completions" });
  assert.deepEqual(request.prompt.blocks(4, 9), whole.prompt.blocks(4, 9));
});

test("parse-request: model and salt keep equal prompts apart", () => {
  const path = { path: "/v1/completions" };
  const chains = [
    parsed({ prompt: "aaaa" }, path),
    parsed({ prompt: "aaaa", model: "other" }, path),
    parsed({ prompt: "aaaa", cache_salt: "s" }, path),
  ].map((request) => request.prompt.blocks(4, 1).hashes.join(":"));
  assert.equal(new Set(chains).size, 3);
});

test("parse-request: another path is scheduled by its model without prompt facts", () => {
  const result = parseBody({ model: "m", input: "text" }, { path: "/v1/embeddings" });
  assert.equal(result.kind === "parsed" && result.request.prompt.sizeBytes, 0);
});

test("parse-request: body size, path and headers are kept", () => {
  const path = "/v1/chat/completions?a=1";
  const request = parsed({}, { path, headers: { "x-a": ["1", "2"] } });
  const body = JSON.stringify({ model: "m", messages: MESSAGES });
  assert.equal(request.bodyBytes, body.length);
  assert.equal(request.path, path);
  assert.equal(request.header("x-a"), "1, 2");
  assert.equal(request.header("x-b"), undefined);
});
