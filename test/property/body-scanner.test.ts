import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { requestId } from "../../src/core/brand.ts";
import type { BodyScanner } from "../../src/request/body-scanner.ts";
import type { RequestKind } from "../../src/request/inference-request.ts";
import { parseRequest } from "../../src/request/parse-request.ts";
import { BytesPrompt } from "../../src/request/prompt.ts";
import { ReceivedBody } from "../../src/request/received-body.ts";
import { blockHasher } from "../fixtures/block-hasher.ts";
import { bodyScanner } from "../fixtures/body-scanner.ts";

const KINDS: readonly RequestKind[] = ["chat", "completion", "other"];
const encoder = new TextEncoder();

/** All that a reader finds, the prompt and its salted chain included. */
function found(body: Uint8Array, kind: RequestKind, scanner?: BodyScanner): unknown {
  const received = {
    id: requestId("r"),
    path: "/v1/x",
    kind,
    headers: {},
    body: new ReceivedBody([body]),
  };
  const parsed = parseRequest(received, blockHasher, scanner);
  if (parsed.kind === "invalid") return parsed;
  const { prompt, header: _header, renamed: _renamed, ...fields } = parsed.request;
  assert.ok(prompt instanceof BytesPrompt);
  const { hashes } = prompt.blocks(4, 8);
  return { ...fields, bytes: Buffer.from(prompt.bytes).toString("hex"), hashes: [...hashes] };
}

/** As a body arrives that does not fit in one read. */
function inPieces(body: Uint8Array): ReceivedBody {
  const cuts = [0, 7, body.length >>> 1, body.length];
  return new ReceivedBody(cuts.slice(1).map((end, i) => body.subarray(cuts[i], end)));
}

function promptOf(
  body: Uint8Array,
  scanner?: BodyScanner,
): { readonly body: Uint8Array; readonly prompt: BytesPrompt } | undefined {
  const kind = "completion";
  const received = {
    id: requestId("r"),
    path: "/v1/completions",
    kind,
    headers: {},
    body: inPieces(body),
  } as const;
  const parsed = parseRequest(received, blockHasher, scanner);
  if (parsed.kind === "invalid") return undefined;
  const { prompt } = parsed.request;
  assert.ok(prompt instanceof BytesPrompt);
  return { body, prompt };
}

function assertAlike(body: Uint8Array): void {
  for (const kind of KINDS) {
    assert.deepEqual(found(body, kind, bodyScanner), found(body, kind), kind);
  }
}

/** Mostly what clients send, so that most bodies are understood; now and then anything. */
function mostly<T>(
  usual: fc.Arbitrary<T>,
  odd: fc.Arbitrary<unknown> = anything,
): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 40, arbitrary: usual }, { weight: 1, arbitrary: odd });
}

const anything = fc.jsonValue({ maxDepth: 3 });
const character = fc.constantFrom(
  "a",
  "b",
  " ",
  '"',
  "\\",
  "/",
  "\n",
  "\u0001",
  "é",
  "中",
  "😀",
  "\u2028",
);
const text = fc.oneof(
  fc.string({ unit: character, maxLength: 60 }),
  fc.string({ unit: "grapheme", maxLength: 30 }),
);
const word = mostly(
  text,
  fc.string({ unit: fc.constantFrom("a", "\ud800", "\udc00"), maxLength: 9 }),
);
const token = mostly(fc.nat({ max: 200_000 }), fc.constantFrom(-1, 1.5, 1e9, 4294967296, "x"));
const tokens = fc.array(token, { minLength: 1, maxLength: 6 });
const mediaType = fc.constantFrom("image_url", "audio_url", "video_url", "input_audio", "image");
const part = mostly(
  fc.oneof(
    fc.record({ type: fc.constant("text"), text: word }),
    fc.record({ image_url: anything, type: mediaType }),
    fc.record({ type: mostly(mediaType), text: mostly(text) }, { requiredKeys: [] }),
  ),
);
const content = mostly(fc.oneof(word, fc.array(part, { maxLength: 4 }), fc.constant(null)));
const role = mostly(fc.oneof(fc.constantFrom("system", "user"), word));
const message = mostly(
  fc.oneof(
    fc.record({ role, content }),
    fc.record({ content, role }),
    fc.record({ name: anything, role, content, tool_calls: anything }, { requiredKeys: [] }),
  ),
);
const prompts = fc.array(fc.oneof(word, tokens, fc.constant([])), { minLength: 1, maxLength: 4 });
const flag = mostly(fc.constantFrom(true, false, null));
const limit = mostly(
  fc.oneof(fc.nat({ max: 999_999_999 }), fc.constant(null)),
  fc.oneof(fc.constantFrom(-1, 1.5, 1e9, 1e21), anything),
);
const body = fc.record(
  {
    model: mostly(fc.constantFrom("m", "org/name", "é"), fc.oneof(fc.constant(""), anything)),
    messages: mostly(fc.array(message, { minLength: 1, maxLength: 5 })),
    prompt: mostly(fc.oneof(word, tokens, prompts)),
    stream: flag,
    stream_options: mostly(fc.record({ include_usage: flag, x: anything }, { requiredKeys: [] })),
    max_tokens: limit,
    max_completion_tokens: limit,
    cache_salt: mostly(fc.constantFrom("", "salt", "é", null), text),
    tools: anything,
  },
  { requiredKeys: ["model", "messages", "prompt"] },
);

/** Draws for one text: which of JSON's ways of writing a thing is taken. */
type Draw = () => number;

function draws(numbers: readonly number[]): Draw {
  let next = 0;
  return () => numbers[next++ % numbers.length] ?? 0;
}

function jsonText(value: unknown, draw: Draw): string {
  const space = (): string => ["", "", "", " ", "\n\t", "\r "][draw() % 6] ?? "";
  if (typeof value === "string") return stringText(value, draw);
  if (Array.isArray(value)) {
    const items = value.map((item) => `${space()}${jsonText(item, draw)}${space()}`);
    return `[${items.length === 0 ? space() : items.join(",")}]`;
  }
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(
    ([key, item]) =>
      `${space()}${draw() % 400 === 0 ? stringText(key, draw) : JSON.stringify(key)}${space()}:${space()}${jsonText(item, draw)}${space()}`,
  );
  // Now and then a key comes twice.
  if (members.length > 0 && draw() % 400 === 0) members.push(members[0] ?? "");
  return `{${members.length === 0 ? space() : members.join(",")}}`;
}

function stringText(text: string, draw: Draw): string {
  const units = [...text].map((character) => {
    if (draw() % 10 > 0) return JSON.stringify(character).slice(1, -1);
    return Array.from({ length: character.length }, (_, at) => {
      const hex = character.charCodeAt(at).toString(16).padStart(4, "0");
      return `\\u${draw() % 2 === 0 ? hex : hex.toUpperCase()}`;
    }).join("");
  });
  return `"${units.join("").replaceAll("/", () => (draw() % 2 === 0 ? "\\/" : "/"))}"`;
}

const numbers = fc.array(fc.nat({ max: 10_000 }), { minLength: 1, maxLength: 60 });
const bodyText = fc
  .record({ body, numbers })
  .map((drawn) => encoder.encode(jsonText(drawn.body, draws(drawn.numbers))));

test("body-scanner: a valid body means the same to the scanner and to JSON.parse", () => {
  let understoodCount = 0;
  const alike = fc.property(bodyText, (bytes) => {
    assertAlike(bytes);
    for (const kind of KINDS) {
      if (bodyScanner.scan(new ReceivedBody([bytes]), kind) !== undefined) understoodCount++;
    }
  });
  const numRuns = 3000;
  fc.assert(alike, { numRuns });
  assert.ok(understoodCount > numRuns, `${understoodCount} scans of ${numRuns} bodies succeeded`);
});

test("body-scanner: a prompt keeps its bytes and chain while other bodies are scanned", () => {
  const chains = fc.record({
    blockBytes: fc.integer({ min: 1, max: 70 }),
    maxBlocks: fc.nat(9000),
  });
  const kept = fc.property(
    fc.array(bodyText, { minLength: 2, maxLength: 4 }),
    chains,
    (all, of) => {
      const { blockBytes, maxBlocks } = of;
      const prompts = all.flatMap((body) => promptOf(body, bodyScanner) ?? []);
      for (const { prompt, body } of prompts) {
        const want = promptOf(body)?.prompt;
        assert.ok(want !== undefined);
        assert.deepEqual(prompt.blocks(blockBytes, maxBlocks), want.blocks(blockBytes, maxBlocks));
        assert.deepEqual(Buffer.from(prompt.bytes), Buffer.from(want.bytes));
      }
    },
  );
  fc.assert(kept, { numRuns: 500 });
});

test("body-scanner: a long prompt's chain of tiny blocks is made in several calls", () => {
  const prompt = "abcdefg".repeat(20_000);
  const body = encoder.encode(JSON.stringify({ model: "m", prompt }));
  const [scanned, want] = [promptOf(body, bodyScanner), promptOf(body)];
  assert.deepEqual(scanned?.prompt.blocks(3, 50_000), want?.prompt.blocks(3, 50_000));
});

test("body-scanner: neither accepts what the other refuses after bytes were changed, cut or put in", () => {
  const fault = fc.record({
    at: fc.nat(),
    cut: fc.nat({ max: 4 }),
    put: fc.oneof(
      fc.uint8Array({ maxLength: 3 }),
      fc
        .constantFrom('"', "\\", "{", "}", "[", "]", ",", ":", "0", "-", "e", ".", "\\u", "\0", " ")
        .map((text) => encoder.encode(text)),
    ),
  });
  const setting = fc.record({
    bytes: bodyText,
    faults: fc.array(fault, { minLength: 1, maxLength: 3 }),
  });
  fc.assert(
    fc.property(setting, ({ bytes, faults }) => {
      let changed: Uint8Array = bytes;
      for (const { at, cut, put } of faults) {
        const from = at % (changed.length + 1);
        changed = Buffer.concat([changed.subarray(0, from), put, changed.subarray(from + cut)]);
      }
      assertAlike(changed);
    }),
    { numRuns: 5000 },
  );
});

test("body-scanner: no byte behind a backslash means more to one than to the other", () => {
  for (const member of ["unknown", "cache_salt", "model", "prompt"]) {
    for (let byte = 0; byte < 256; byte++) {
      const [before, after] = [`{"model":"m","prompt":"p","${member}":"a\\`, 'b"}'].map((text) =>
        encoder.encode(text),
      );
      assertAlike(Buffer.concat([before as Uint8Array, Uint8Array.of(byte), after as Uint8Array]));
    }
  }
});

test("body-scanner: a body cut short anywhere is refused by both", () => {
  const whole = encoder.encode(
    '{"model":"m","messages":[{"role":"a","content":"é\\u00e9\\ud83d\\ude00 😀"},{"content":[{"type":"text","text":"x"}]}],"stream":true,"max_tokens":12}',
  );
  for (let size = 0; size < whole.length; size++) assertAlike(whole.subarray(0, size));
});

test("body-scanner: any bytes at all are read alike", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), assertAlike), { numRuns: 2000 });
});

test("body-scanner: every sequence of UTF-8 is judged as the decoder judges it", () => {
  const leads = [0x7f, 0x80, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef];
  leads.push(0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff);
  const rest = [0x22, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0];
  const [before, after] = ['{"model":"m","prompt":"', 'x"}'].map((text) => encoder.encode(text));
  for (const lead of leads) {
    for (const second of rest) {
      for (const third of rest) {
        const bytes = [...(before ?? []), lead, second, third, 0x80, ...(after ?? [])];
        assertAlike(Uint8Array.from(bytes));
        assertAlike(Uint8Array.from(bytes.toSpliced(-4, 1)));
      }
    }
  }
});

const understood: readonly [name: string, kind: RequestKind, text: string][] = [
  ["a chat", "chat", '{"model":"m","messages":[{"role":"user","content":"hi \\n\\u00e9 é"}]}'],
  ["content before its role", "chat", '{"model":"m","messages":[{"content":"x","role":"user"}]}'],
  [
    "parts and media",
    "chat",
    '{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"x"},{"type":"image_url","image_url":{"url":"u"}}]}]}',
  ],
  ["a completion", "completion", '{"model":"m","prompt":"x","max_tokens":5,"stream":true}'],
  ["several prompts", "completion", '{"model":"m","prompt":["x",[1,2],[]]}'],
  ["tokens", "completion", ' { "model" : "m" , "prompt" : [ 1 , 20 , 300 ] } '],
  ["tools", "other", '{"tools":[{"a":{"b":[1.5e-3,null,true]}}],"model":"m","cache_salt":"s"}'],
];
for (const [name, kind, text] of understood) {
  test(`body-scanner: ${name} is not left to JSON.parse`, () => {
    assert.notEqual(bodyScanner.scan(inPieces(encoder.encode(text)), kind), undefined);
    assertAlike(encoder.encode(text));
  });
}

const nested = "[".repeat(100_000);
const left: readonly [name: string, text: string][] = [
  ["a key that comes twice", '{"model":"m","prompt":"x","prompt":"y"}'],
  ["an escape in a name", '{"mod\\u0065l":"m","model":"m","prompt":"x"}'],
  ["an escape in the model", '{"model":"m\\n","prompt":"x"}'],
  ["a lone surrogate", '{"model":"m","prompt":"\\ud800"}'],
  ["a number with an exponent", '{"model":"m","prompt":"x","max_tokens":1e3}'],
  ["a huge number", '{"model":"m","prompt":"x","max_tokens":123456789012345678901234567890}'],
  ["deep nesting", `{"model":"m","prompt":"x","a":${nested}${nested.replaceAll("[", "]")}}`],
  ["more tokens than their text has room for", `{"model":"m","prompt":[${"1,".repeat(9000)}1]}`],
  ["a byte order mark", '\ufeff{"model":"m","prompt":"x"}'],
];
for (const [name, text] of left) {
  test(`body-scanner: ${name} is left to JSON.parse`, () => {
    assert.equal(bodyScanner.scan(inPieces(encoder.encode(text)), "completion"), undefined);
    assertAlike(encoder.encode(text));
  });
}

test("body-scanner: many messages without text outgrow their JSON and are left to JSON.parse", () => {
  const bytes = encoder.encode(`{"model":"m","messages":[${"{},".repeat(100_000)}{}]}`);
  assert.equal(bodyScanner.scan(inPieces(bytes), "chat"), undefined);
  assertAlike(bytes);
});

// Around what the memory holds at first, and around the longest body that is scanned.
for (const size of [1 << 18, (1 << 18) + 1, 1 << 20, 8 << 20, (8 << 20) + 1]) {
  test(`body-scanner: a body of ${size} bytes is read alike`, () => {
    const frame = '{"model":"m","prompt":""}';
    const text = encoder.encode(
      `{"model":"m","prompt":"${"ab".repeat(size / 2).slice(0, size - frame.length)}"}`,
    );
    assert.equal(text.length, size);
    assert.equal(bodyScanner.scan(inPieces(text), "completion") === undefined, size > 8 << 20);
    assertAlike(text);
    assertAlike(text.subarray(0, -1));
  });
}
