import assert from "node:assert/strict";
import test from "node:test";
import { promptBytesOf } from "./prompt-bytes.ts";

const decoder = new TextDecoder();

function texts(result: readonly Uint8Array[] | string): readonly string[] | string {
  return typeof result === "string" ? result : result.map((bytes) => decoder.decode(bytes));
}

const chats: readonly { name: string; messages: unknown; want: string }[] = [
  {
    name: "a message is framed by its role",
    messages: [{ role: "user", content: "hi" }],
    want: "<|im_start|>user\nhi<|im_end|>\n",
  },
  {
    name: "messages follow each other",
    messages: [
      { role: "system", content: "a" },
      { role: "user", content: "b" },
    ],
    want: "<|im_start|>system\na<|im_end|>\n<|im_start|>user\nb<|im_end|>\n",
  },
  {
    name: "text parts are joined, other parts are nothing",
    messages: [
      {
        role: "user",
        content: [
          { type: "text", text: "a" },
          { type: "image_url", image_url: { url: "data:" } },
          { type: "text", text: "b" },
          null,
          7,
        ],
      },
    ],
    want: "<|im_start|>user\nab<|im_end|>\n",
  },
  {
    name: "no content is empty",
    messages: [{ role: "assistant", content: null }],
    want: "<|im_start|>assistant\n<|im_end|>\n",
  },
  {
    name: "no role is empty",
    messages: [{ content: "x" }],
    want: "<|im_start|>\nx<|im_end|>\n",
  },
];
for (const { name, messages, want } of chats) {
  test(`prompt-bytes: chat: ${name}`, () => {
    assert.deepEqual(texts(promptBytesOf("chat", { messages })), [want]);
  });
}

test("prompt-bytes: a user message costs 28 bytes more than its content", () => {
  const [bytes] = promptBytesOf("chat", {
    messages: [{ role: "user", content: "x".repeat(29_972) }],
  });
  assert.equal((bytes as Uint8Array).length, 30_000);
});

const completions: readonly { name: string; prompt: unknown; want: readonly number[] }[] = [
  { name: "one string", prompt: "abc", want: [3] },
  { name: "bytes of UTF-8, not characters", prompt: "é€😀", want: [9] },
  {
    name: "half a surrogate pair counts as the replacement character",
    prompt: "\ud800",
    want: [3],
  },
  { name: "an empty string", prompt: "", want: [0] },
  { name: "each string of an array", prompt: ["ab", "cde"], want: [2, 3] },
  { name: "four bytes for a token id", prompt: [1, 2, 300_000], want: [12] },
  { name: "each array of token ids", prompt: [[1, 2], [3]], want: [8, 4] },
];
for (const { name, prompt, want } of completions) {
  test(`prompt-bytes: completion: ${name}`, () => {
    const result = promptBytesOf("completion", { prompt });
    assert.deepEqual(
      typeof result === "string" ? result : result.map((bytes) => bytes.length),
      want,
    );
  });
}

test("prompt-bytes: a token id stands little-endian, so equal ids are equal bytes", () => {
  const [bytes] = promptBytesOf("completion", { prompt: [0x04030201] });
  assert.deepEqual([...(bytes as Uint8Array)], [1, 2, 3, 4]);
});

const faults: readonly ["chat" | "completion", Record<string, unknown>, string][] = [
  ["chat", {}, "messages must be an array"],
  ["chat", { messages: "hi" }, "messages must be an array"],
  ["chat", { messages: [] }, "messages is empty"],
  ["chat", { messages: ["hi"] }, "each message must be an object"],
  ["chat", { messages: [[]] }, "each message must be an object"],
  ["completion", {}, "prompt must be a string or an array"],
  ["completion", { prompt: null }, "prompt must be a string or an array"],
  ["completion", { prompt: [] }, "prompt is empty"],
  ["completion", { prompt: [1, "a"] }, "prompt mixes token ids with other values"],
  ["completion", { prompt: [1.5] }, "prompt mixes token ids with other values"],
  ["completion", { prompt: ["a", 1] }, "each prompt must be a string or an array of token ids"],
  ["completion", { prompt: [["a"]] }, "each prompt must be a string or an array of token ids"],
];
for (const [kind, body, want] of faults) {
  test(`prompt-bytes: ${kind} ${JSON.stringify(body)} is refused`, () => {
    assert.equal(promptBytesOf(kind, body), want);
  });
}

test("prompt-bytes: another kind of request has no prompt", () => {
  assert.deepEqual(promptBytesOf("other", { input: "text" }), []);
});
