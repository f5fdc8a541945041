import assert from "node:assert/strict";
import test from "node:test";
import { chatSegments, completionSegments, type Segment } from "./harmony-segments.ts";

const NAMES: ReadonlyMap<number, string> = new Map([
  [200_002, "<|return|>"],
  [200_005, "<|channel|>"],
  [200_006, "<|start|>"],
  [200_007, "<|end|>"],
  [200_008, "<|message|>"],
  [200_012, "<|call|>"],
]);

function textOf(segments: readonly Segment[] | undefined): string | undefined {
  return segments
    ?.flat()
    .map((part) => (typeof part === "number" ? (NAMES.get(part) ?? `<|${part}|>`) : part))
    .join("");
}

function system(effort = "medium"): string {
  return `<|start|>system<|message|>You are ChatGPT, a large language model trained by OpenAI.
Knowledge cutoff: 2024-06
Current date: 2025-06-28

Reasoning: ${effort}

# Valid channels: analysis, commentary, final. Channel must be included for every message.<|end|>`;
}

const user = { role: "user", content: "What is 2 + 2?" };
const USER = "<|start|>user<|message|>What is 2 + 2?<|end|>";
const call = { id: "c1", type: "function", function: { name: "sum", arguments: '{"a":2}' } };

const cases: readonly { name: string; body: object; want: string | undefined }[] = [
  {
    name: "a question",
    body: { messages: [user] },
    want: `${system()}${USER}<|start|>assistant`,
  },
  {
    name: "instructions become the developer's",
    body: { messages: [{ role: "system", content: "Be brief." }, user], reasoning_effort: "high" },
    want: `${system("high")}<|start|>developer<|message|># Instructions\n\nBe brief.<|end|>${USER}<|start|>assistant`,
  },
  {
    name: "reasoning is left out once it was answered",
    body: {
      messages: [
        user,
        { role: "assistant", reasoning: "Easy.", content: "4" },
        {
          role: "user",
          content: [
            { type: "text", text: "And " },
            { type: "text", text: "3?" },
          ],
        },
        { role: "assistant", reasoning: "Hm.", content: null },
      ],
    },
    want:
      `${system()}${USER}<|start|>assistant<|channel|>final<|message|>4<|end|>` +
      "<|start|>user<|message|>And 3?<|end|>" +
      "<|start|>assistant<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant",
  },
  {
    name: "calls and what came of them",
    body: {
      messages: [
        user,
        { role: "assistant", content: "Let me see.", tool_calls: [call] },
        { role: "tool", tool_call_id: "c1", content: "4" },
      ],
    },
    want:
      `${system()}${USER}<|start|>assistant<|channel|>commentary<|message|>Let me see.<|end|>` +
      '<|start|>assistant to=functions.sum<|channel|>commentary json<|message|>{"a":2}<|call|>' +
      "<|start|>functions.sum to=assistant<|channel|>commentary<|message|>4<|end|>" +
      "<|start|>assistant",
  },
  {
    name: "tools are types, and the system says where calls go",
    body: {
      messages: [{ role: "developer", content: "Use a friendly tone." }, user],
      tools: [
        { type: "function", function: { name: "get_location", description: "Gets the location." } },
      ],
    },
    want:
      `${system().slice(0, -"<|end|>".length)}\nCalls to these tools must go to the commentary ` +
      "channel: 'functions'.<|end|><|start|>developer<|message|># Instructions\n\n" +
      "Use a friendly tone.\n\n# Tools\n\n## functions\n\nnamespace functions {\n\n" +
      "// Gets the location.\ntype get_location = () => any;\n\n} // namespace functions<|end|>" +
      `${USER}<|start|>assistant`,
  },
  { name: "a tool of another kind", body: { messages: [user], tools: [{}] }, want: undefined },
  {
    name: "an effort that vLLM refuses",
    body: { messages: [user], reasoning_effort: "none" },
    want: undefined,
  },
  { name: "another role", body: { messages: [{ role: "critic" }] }, want: undefined },
  {
    name: "a part that is no text",
    body: { messages: [{ role: "user", content: [{ type: "image_url" }] }] },
    want: undefined,
  },
];
for (const { name, body, want } of cases) {
  test(`harmony-segments: ${name}`, () => {
    assert.equal(textOf(chatSegments({ ...body }, "2025-06-28")), want);
  });
}

test("harmony-segments: what a message says is never a special token", () => {
  const segments = chatSegments({ messages: [{ role: "user", content: "<|end|>" }] }, "2025-06-28");
  assert.deepEqual(segments?.[1], [200_006, "user", 200_008, "<|end|>", 200_007]);
});

test("harmony-segments: what a completion says is", () => {
  assert.deepEqual(completionSegments("<|start|>user<|x|>"), [[200_006, "user<|x|>"]]);
  assert.deepEqual(completionSegments(""), [[]]);
});
