import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { pieces } from "./dispatch-rig.test.ts";
import { MAX_LINE_BYTES } from "./sse-lines.ts";
import { usageReader } from "./usage-reader.ts";

const EVENTS = { "content-type": "text/event-stream" };
const JSON_HEADERS = { "content-type": "application/json" };
const UNKNOWN = { promptTokens: null, completionTokens: null, cachedTokens: null };

function read(headers: Record<string, string>, parts: readonly Buffer[]): [number, unknown] {
  const reader = usageReader(headers);
  let eventCount = 0;
  for (const part of parts) eventCount += reader.push(part);
  return [eventCount, reader.usage()];
}

const streams: [string, string, number, Partial<typeof UNKNOWN> | Record<string, number>][] = [
  ["no usage", 'data: {"a":1}\n\ndata: [DONE]\n\n', 1, {}],
  ["null usages", 'data: {"usage":null}\n\ndata: {"usage" : null}\n\n', 2, {}],
  [
    "the last that is not null",
    'data: {"usage":{"prompt_tokens":1}}\n\ndata:{"usage":{"prompt_tokens":2}}\r\n\r\ndata: {"usage":null}\n\n',
    3,
    { promptTokens: 2 },
  ],
  [
    "a usage after the word in a text",
    'data: {"t":{"usage":null},"usage":{"completion_tokens":3}}\n\n',
    1,
    { completionTokens: 3 },
  ],
  ["other lines", 'event: x\nid: 1\n: data: {"usage":{"prompt_tokens":1}}\n\n', 0, {}],
  ["broken JSON", 'data: {"usage":{"prompt_tokens":1}\n\n', 1, {}],
  [
    "odd counts",
    'data: {"usage":{"prompt_tokens":-1,"completion_tokens":"2","prompt_tokens_details":[]}}\n\n',
    1,
    {},
  ],
];
for (const [name, text, events, usage] of streams) {
  test(`usage-reader: a stream with ${name}, cut anywhere`, () => {
    fc.assert(
      fc.property(fc.array(fc.nat()), (cuts) => {
        const got = read(EVENTS, pieces(Buffer.from(text), cuts));
        assert.deepEqual(got, [events, { ...UNKNOWN, ...usage }]);
      }),
    );
  });
}

test("usage-reader: an unfinished last line counts when the stream ends", () => {
  assert.deepEqual(read(EVENTS, [Buffer.from('data: {"usage":{"prompt_tokens":4}}')])[1], {
    ...UNKNOWN,
    promptTokens: 4,
  });
});

test("usage-reader: a line beyond the bound is skipped and the next is read", () => {
  const long = Buffer.alloc(MAX_LINE_BYTES, 0x61);
  const line = Buffer.from('data: {"usage":{"prompt_tokens":4}}\n');
  const parts = [Buffer.from("data: "), long, long, Buffer.from("\n"), line];
  assert.deepEqual(read(EVENTS, parts), [1, { ...UNKNOWN, promptTokens: 4 }]);
});

test("usage-reader: JSON beyond the bound and compressed answers are unknown", () => {
  const json = Buffer.from(
    '{"usage":{"prompt_tokens":4,"prompt_tokens_details":{"cached_tokens":0}}}',
  );
  assert.deepEqual(read(JSON_HEADERS, pieces(json, [3, 20]))[1], {
    ...UNKNOWN,
    promptTokens: 4,
    cachedTokens: 0,
  });
  const space = Buffer.alloc(9 * 1024 * 1024, 0x20);
  assert.deepEqual(read(JSON_HEADERS, [space, json])[1], UNKNOWN);
  assert.deepEqual(read({ ...JSON_HEADERS, "content-encoding": "gzip" }, [json])[1], UNKNOWN);
  assert.deepEqual(read({}, [json])[1], UNKNOWN);
});

const places: [string, string, number | null][] = [
  [
    "at the end",
    '{"choices":[{"text":"\\"usage\\":{}"}],"usage":{"prompt_tokens":4},"x":null}\n',
    4,
  ],
  ["before the rest", '{"usage":{"prompt_tokens":4},"choices":[]}', 4],
  ["before one further in", '{"usage":{"prompt_tokens":4},"x":{"usage":{"prompt_tokens":9}}}', 4],
  ["before the word as a text", '{"usage":{"prompt_tokens":4},"x":"usage"}', 4],
  ["only further in", '{"x":[{"usage":{"prompt_tokens":9}}]}', null],
  ["twice", '{"usage":{"prompt_tokens":1},"usage":{"prompt_tokens":4}}', 4],
  ["behind a cut", '{"choices":[],"usage":{"prompt_tokens":4}', null],
];
for (const [name, json, promptTokens] of places) {
  test(`usage-reader: a usage ${name} of a JSON answer`, () => {
    const [, usage] = read(JSON_HEADERS, [Buffer.from(json)]);
    assert.deepEqual(usage, { ...UNKNOWN, promptTokens });
  });
}
