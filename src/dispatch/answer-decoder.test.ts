import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { AnswerDecoder } from "./answer-decoder.ts";
import { type AnswerHead, BadAnswer } from "./answer-head.ts";
import { pieces } from "./dispatch-rig.test.ts";

/** What a decoder told of one answer. */
class Heard {
  readonly heads: AnswerHead[] = [];
  body = "";
  framedBytes = "";
  lastCount = 0;

  head(head: AnswerHead): void {
    this.heads.push(head);
  }

  data(chunk: Buffer): void {
    this.body += chunk.toString("latin1");
  }

  framed(bytes: Buffer, isLast: boolean): void {
    this.framedBytes += bytes.toString("latin1");
    if (isLast) this.lastCount++;
  }
}

/** Reads an answer that comes in the given parts, out of one buffer as a socket would. */
function decoded(parts: readonly Buffer[], method = "POST") {
  const decoder = new AnswerDecoder();
  const heard = new Heard();
  decoder.begin(method, heard);
  const shared = Buffer.alloc(1 << 17);
  let isComplete = false;
  for (const part of parts) {
    if (part.length === 0) continue;
    assert.equal(isComplete, false, "bytes came behind the end");
    part.copy(shared);
    isComplete = decoder.push(shared, part.length);
    shared.fill(0);
  }
  return { decoder, heard, isComplete };
}

const text = (answer: string): Buffer => Buffer.from(answer, "latin1");
const HEAD = "HTTP/1.1 200 OK\r\n";
const FRAMED = "5;a=b\r\nhello\r\n00A\r\n 123456789\r\n1\r\n\n\r\n";
const CHUNKED = `${HEAD}Transfer-Encoding: Chunked\r\n\r\n${FRAMED}0;z\r\nX-T: 1\r\nx-t:2 \r\n\r\n`;

test("answer-decoder: a chunked answer is the same however its bytes are cut", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(), { maxLength: 60 }), (cuts) => {
      const { decoder, heard, isComplete } = decoded(pieces(text(CHUNKED), cuts));
      assert.equal(isComplete, true);
      assert.equal(heard.body, "hello 123456789\n");
      assert.equal(heard.framedBytes, FRAMED);
      assert.deepEqual({ ...decoder.trailers }, { "x-t": ["1", "2"] });
      assert.equal(decoder.isKept, true);
      assert.ok(heard.lastCount <= 1);
    }),
  );
  const bytes = [...text(CHUNKED)].map((byte) => Buffer.of(byte));
  assert.equal(decoded(bytes).heard.framedBytes, FRAMED);
  assert.equal(decoded([text(CHUNKED)]).heard.lastCount, 1);
});

test("answer-decoder: what is held back of a read is never framed before it is understood", () => {
  const open = `${HEAD}transfer-encoding: chunked\r\n\r\n`;
  for (const [tail, framed] of [
    ["5\r\nhello\r\n0", "5\r\nhello\r\n"],
    ["5\r\nhello\r\n0\r\n", "5\r\nhello\r\n"],
    ["5\r\nhello\r\n0\r\nx: 1\r\n", "5\r\nhello\r\n"],
    ["5\r\nhello\r", "5\r\nhello"],
    ["5\r\nhel", "5\r\nhel"],
    ["5", ""],
  ] as const) {
    const { heard, isComplete } = decoded([text(open + tail)]);
    assert.equal(heard.framedBytes, framed, JSON.stringify(tail));
    assert.equal(isComplete, false);
  }
});

const framings = [
  { name: "a length", answer: `${HEAD}Content-Length: 3\r\n\r\nabc`, body: "abc", isKept: true },
  { name: "length zero", answer: `${HEAD}content-length: 0\r\n\r\n`, body: "", isKept: true },
  { name: "204", answer: "HTTP/1.1 204 No Content\r\n\r\n", body: "", isKept: true },
  {
    name: "304 with a length",
    answer: "HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n",
    body: "",
    isKept: true,
  },
  {
    name: "no reason",
    answer: "HTTP/1.1 200\r\ncontent-length: 1\r\n\r\na",
    body: "a",
    isKept: true,
  },
  {
    name: "Connection: close",
    answer: `${HEAD}Connection: x, Close\r\ncontent-length: 1\r\n\r\na`,
    body: "a",
    isKept: false,
  },
  {
    name: "HTTP/1.0 with a length",
    answer: "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 1\r\n\r\na",
    body: "a",
    isKept: false,
  },
  {
    name: "surplus bytes",
    answer: `${HEAD}content-length: 1\r\n\r\naHTTP/1.1 200 OK\r\n\r\n`,
    body: "a",
    isKept: false,
  },
  {
    name: "surplus behind chunks",
    answer: `${HEAD}transfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\nb`,
    body: "a",
    isKept: false,
  },
  {
    name: "informational answers before it",
    answer: `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nlink: a\r\n\r\n${HEAD}content-length: 1\r\n\r\na`,
    body: "a",
    isKept: true,
  },
];
for (const { name, answer, body, isKept } of framings) {
  test(`answer-decoder: ${name} ends where it should and ${isKept ? "keeps" : "gives up"} the connection`, () => {
    const { decoder, heard, isComplete } = decoded([text(answer)]);
    assert.equal(isComplete, true);
    assert.equal(heard.body, body);
    assert.equal(heard.heads.length, 1);
    assert.equal(decoder.isKept, isKept);
  });
}

test("answer-decoder: an answer to HEAD has no body whatever it announces", () => {
  for (const length of ["content-length: 5", "transfer-encoding: chunked"]) {
    const { decoder, isComplete } = decoded([text(`${HEAD}${length}\r\n\r\n`)], "HEAD");
    assert.equal(isComplete, true);
    assert.equal(decoder.isKept, true);
  }
});

test("answer-decoder: without a length the body lasts until the connection ends", () => {
  const { decoder, heard, isComplete } = decoded([text(`${HEAD}\r\nab`), text("cd")]);
  assert.equal(isComplete, false);
  assert.equal(decoder.isEndedByClose, true);
  assert.equal(heard.body, "abcd");
  assert.equal(decoder.isKept, false);
});

const bad = [
  "SSH-2.0-OpenSSH\r\n",
  "HTTP/2 200\r\n\r\n",
  "HTTP/1.1 20 OK\r\n\r\n",
  "HTTP/1.1  200 OK\r\n\r\n",
  "HTTP/1.1 101 Switching Protocols\r\n\r\n",
  `${HEAD}content-length: 1\r\ncontent-length: 1\r\n\r\n`,
  `${HEAD}content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n`,
  `${HEAD}content-length: -1\r\n\r\n`,
  `${HEAD}content-length: 1e3\r\n\r\n`,
  `${HEAD}content-length: 9999999999999999\r\n\r\n`,
  `${HEAD}transfer-encoding: gzip, chunked\r\n\r\n`,
  `${HEAD}transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n`,
  "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
  `${HEAD}name : 1\r\n\r\n`,
  `${HEAD}: 1\r\n\r\n`,
  `${HEAD}a: 1\r\n b\r\n\r\n`,
  `${HEAD}a: 1\nb: 2\r\n\r\n`,
  `${HEAD}a: \0\r\n\r\n`,
  `${HEAD}no colon\r\n\r\n`,
  `${HEAD}a: ${"x".repeat(17_000)}\r\n\r\n`,
  `${HEAD}a: ${"x".repeat(17_000)}`,
  `${HEAD}${"a: 1\r\n".repeat(300)}\r\n`,
  ...["\r\n", "x\r\n", "5\n", ";a\r\n", "5;\r\r\n", "5 a\r\n", "1000000000000\r\n", "-1\r\n"].map(
    (line) => `${HEAD}transfer-encoding: chunked\r\n\r\n${line}`,
  ),
  `${HEAD}transfer-encoding: chunked\r\n\r\n1\r\naXX`,
  `${HEAD}transfer-encoding: chunked\r\n\r\n1;${"x".repeat(5000)}\r\n`,
  `${HEAD}transfer-encoding: chunked\r\n\r\n0\r\nbad trailer\r\n\r\n`,
  `${HEAD}transfer-encoding: chunked\r\n\r\n0\r\na: ${"x".repeat(30_000)}`,
  "HTTP/1.1 103 Hints\r\n\r\n".repeat(20),
];
test("answer-decoder: what is not clear HTTP is refused, in one piece or byte by byte", () => {
  for (const answer of bad) {
    const shown = JSON.stringify(answer.slice(0, 80));
    assert.throws(() => decoded([text(answer)]), BadAnswer, shown);
    if (answer.length > 1000) continue;
    const bytes = [...text(answer)].map((byte) => Buffer.of(byte));
    assert.throws(() => decoded(bytes), BadAnswer, shown);
  }
});

test("answer-decoder: names are found in lower case, lines of one name are kept apart", () => {
  const answer = `${HEAD}__proto__: a\r\nX-A:\t1 \r\nx-a: \xe9\r\ncontent-length: 0\r\n\r\n`;
  const [head] = decoded([text(answer)]).heard.heads;
  assert.deepEqual(head?.rawHeaders.slice(0, 6), ["__proto__", "a", "X-A", "1", "x-a", "\xe9"]);
  assert.deepEqual(head?.headers["x-a"], ["1", "\xe9"]);
  assert.equal(Object.getPrototypeOf(head?.headers), null);
});
