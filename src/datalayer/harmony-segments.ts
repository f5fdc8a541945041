import { isRecord } from "../request/prompt-bytes.ts";
import { toolsSection } from "./harmony-tools.ts";
import type { RequestBody } from "./token-source.ts";

/** Text that is encoded without special tokens, or the id of a special one. */
export type SegmentPart = string | number;
/** A message as harmony writes it: special tokens frame it, so its tokens depend on nothing around it. */
export type Segment = readonly SegmentPart[];

/** Special tokens of o200k_harmony (openai/harmony, `docs/format.md`). */
const RETURN = 200_002;
const CONSTRAIN = 200_003;
const CHANNEL = 200_005;
const START = 200_006;
const END = 200_007;
const MESSAGE = 200_008;
const CALL = 200_012;

/** In the text of a completion the engine's tokenizer takes these for tokens. */
const SPECIAL_IDS: ReadonlyMap<string, number> = new Map([
  ["<|startoftext|>", 199_998],
  ["<|endoftext|>", 199_999],
  ["<|return|>", RETURN],
  ["<|constrain|>", CONSTRAIN],
  ["<|channel|>", CHANNEL],
  ["<|start|>", START],
  ["<|end|>", END],
  ["<|message|>", MESSAGE],
  ["<|call|>", CALL],
]);
const SPECIAL = /(<\|(?:startoftext|endoftext|return|constrain|channel|start|end|message|call)\|>)/;

const TOOLS_CHANNEL = "\nCalls to these tools must go to the commentary channel: 'functions'.";

const EFFORTS: readonly unknown[] = ["low", "medium", "high"];

interface HarmonyMessage {
  readonly role: string;
  readonly texts: readonly string[];
  readonly channel?: string;
  readonly recipient?: string;
  readonly contentType?: string;
}

/**
 * Segments of a chat as vLLM renders it for gpt-oss (`make_request_with_harmony`); `today` is the engine's
 * date, as 2026-01-31. Undefined for media and for what vLLM itself refuses.
 */
export function chatSegments(body: RequestBody, today: string): readonly Segment[] | undefined {
  const { messages, tools } = body;
  const effort = body["reasoning_effort"] ?? "medium";
  if (!Array.isArray(messages) || !EFFORTS.includes(effort)) return undefined;
  const hasTools = Array.isArray(tools) && tools.length > 0;
  const section = hasTools ? toolsSection(tools) : "";
  if (section === undefined) return undefined;
  const [first] = messages;
  const isInstructed = isRecord(first) && ["system", "developer"].includes(String(first["role"]));
  const instructions = isInstructed ? flatText(first["content"]) : "";
  const rest = harmonyMessages(isInstructed ? messages.slice(1) : messages);
  if (rest === undefined || instructions === undefined) return undefined;
  const system = `${systemText(today, effort)}${hasTools ? TOOLS_CHANNEL : ""}`;
  const preamble: HarmonyMessage[] = [{ role: "system", texts: [system] }];
  const told = instructions === "" ? "" : `# Instructions\n\n${instructions}`;
  const developer = [told, section].filter((text) => text !== "").join("\n\n");
  if (developer !== "") preamble.push({ role: "developer", texts: [developer] });
  return [...[...preamble, ...rest].map(segmentOf), [START, "assistant"]];
}

/** The one segment of a completion's text. */
export function completionSegments(prompt: string): readonly Segment[] {
  const parts = prompt.split(SPECIAL).filter((part) => part !== "");
  return [parts.map((part) => SPECIAL_IDS.get(part) ?? part)];
}

function systemText(today: string, effort: unknown): string {
  return `You are ChatGPT, a large language model trained by OpenAI.
Knowledge cutoff: 2024-06
Current date: ${today}

Reasoning: ${String(effort)}

# Valid channels: analysis, commentary, final. Channel must be included for every message.`;
}

function harmonyMessages(messages: readonly unknown[]): readonly HarmonyMessage[] | undefined {
  const names = new Map<unknown, string>();
  const rendered: HarmonyMessage[] = [];
  for (const message of messages) {
    if (!isRecord(message)) return undefined;
    for (const call of callsOf(message)) names.set(call.id, call.name);
  }
  for (const message of messages) {
    const parts = isRecord(message) ? messageParts(message, names) : undefined;
    if (parts === undefined) return undefined;
    rendered.push(...parts);
  }
  // Reasoning is shown to the model until the answer that came of it.
  const lastFinal = rendered.findLastIndex(({ channel }) => channel === "final");
  return rendered.filter(({ channel }, at) => channel !== "analysis" || at > lastFinal);
}

function messageParts(
  message: Readonly<Record<string, unknown>>,
  names: ReadonlyMap<unknown, string>,
): readonly HarmonyMessage[] | undefined {
  const { role, content } = message;
  switch (role) {
    case "user":
    case "system":
    case "developer": {
      const texts = textsOf(content);
      return texts === undefined ? undefined : [{ role, texts }];
    }
    case "assistant":
      return assistantParts(message);
    case "tool": {
      const text = flatText(content);
      const author = `functions.${names.get(message["tool_call_id"]) ?? ""}`;
      if (text === undefined) return undefined;
      return [{ role: author, texts: [text], channel: "commentary", recipient: "assistant" }];
    }
    default:
      return undefined;
  }
}

function assistantParts(
  message: Readonly<Record<string, unknown>>,
): readonly HarmonyMessage[] | undefined {
  const { reasoning, content } = message;
  const role = "assistant";
  const isReasoned = typeof reasoning === "string" && reasoning !== "";
  const analysis = isReasoned ? [{ role, texts: [reasoning], channel: "analysis" }] : [];
  const calls = callsOf(message);
  if (calls.length === 0) {
    const texts = textsOf(content);
    if (texts === undefined) return undefined;
    return texts[0] === undefined || texts[0] === ""
      ? analysis
      : [...analysis, { role, texts, channel: "final" }];
  }
  const text = flatText(content);
  if (text === undefined) return undefined;
  return [
    ...(text === "" ? [] : [{ role, texts: [text], channel: "commentary" }]),
    ...analysis,
    ...calls.map(({ name, text: given }) => ({
      role,
      texts: [given],
      channel: "commentary",
      recipient: `functions.${name}`,
      contentType: "json",
    })),
  ];
}

function callsOf(
  message: Readonly<Record<string, unknown>>,
): readonly { readonly id: unknown; readonly name: string; readonly text: string }[] {
  const calls = message["tool_calls"];
  if (!Array.isArray(calls)) return [];
  return calls.flatMap((call: unknown) => {
    const called = isRecord(call) ? call["function"] : undefined;
    if (!isRecord(call) || !isRecord(called)) return [];
    const { name, arguments: given } = called;
    return [
      {
        id: call["id"],
        name: typeof name === "string" ? name : "",
        text: typeof given === "string" ? given : "",
      },
    ];
  });
}

/** Each part of a content is encoded by itself; undefined for parts that are no text. */
function textsOf(content: unknown): readonly string[] | undefined {
  if (content === undefined || content === null) return [""];
  if (typeof content === "string") return [content];
  if (!Array.isArray(content)) return undefined;
  const texts = content.flatMap((part: unknown) =>
    isRecord(part) && typeof part["text"] === "string" ? [part["text"]] : [],
  );
  return texts.length === content.length ? texts : undefined;
}

function flatText(content: unknown): string | undefined {
  return textsOf(content)?.join("");
}

function segmentOf(message: HarmonyMessage): Segment {
  const { role, texts, channel, recipient, contentType } = message;
  const isCall = role === "assistant" && recipient !== undefined;
  return [
    START,
    role,
    ...(recipient === undefined ? [] : [` to=${recipient}`]),
    ...(channel === undefined ? [] : [CHANNEL, channel]),
    ...(contentType === undefined ? [] : [` ${contentType}`]),
    MESSAGE,
    ...texts,
    isCall ? CALL : END,
  ];
}
