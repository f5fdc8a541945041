import assert from "node:assert/strict";
import test from "node:test";
import { SINGLE } from "../../test/fixtures/picker-configs.ts";
import { completed } from "../../test/fixtures/pool-core.ts";
import { RecordedRun } from "../../test/fixtures/recorded-run.ts";
import { requestWith } from "../../test/fixtures/request-with.ts";
import type { RecordedInput, RecordedRequest } from "../director/recorded-line.ts";
import type { RequestHeaders } from "../request/parse-request.ts";

/** A session by its cookie, so that a plugin reads the header in which all cookies come. */
const BY_COOKIE = `apiVersion: llm-d.ai/v1alpha1
kind: EndpointPickerConfig
plugins:
- { type: session-id-producer, parameters: { cookieName: session } }
- { type: session-affinity-scorer, parameters: { strategy: session_id } }
`;

function kinds(run: RecordedRun): readonly RecordedInput["kind"][] {
  return run.inputs.map(({ kind }) => kind);
}

function recorded(headers: RequestHeaders, text = SINGLE): RecordedRequest {
  const run = new RecordedRun(text);
  run.addReady({ id: "e0" });
  run.send(requestWith({ headers }));
  const line = run.inputs.at(-1);
  assert.ok(line?.kind === "arrive");
  return line.request;
}

test("recording-core: every input is a line, in the order of the calls", () => {
  const run = new RecordedRun(SINGLE);
  run.addReady({ id: "e0" });
  run.addReady({ id: "e1" });
  const sent = run.send(requestWith({}));
  assert.ok(sent !== undefined);
  const { decision, target } = sent;
  const next = run.recording.retry(decision, target, 2);
  run.recording.firstByte(decision, 3);
  run.recording.end(decision, "completed", completed, 4);
  run.recording.kvEvents(0, [{ kind: "cleared" }], 5);
  run.recording.drain();
  const added = ["endpoint", "metrics", "health"];
  const served = ["arrive", "retry", "firstByte", "end", "kvEvents", "drain"];
  assert.deepEqual(kinds(run), [...added, ...added, ...served]);
  const retry = run.inputs.find((line) => line.kind === "retry");
  assert.deepEqual(retry, {
    kind: "retry",
    pool: "pool",
    atMs: 2,
    decision,
    failed: target.id,
    to: next?.id,
  });
});

test("recording-core: probes and ticks that change nothing are no lines", () => {
  const run = new RecordedRun(SINGLE);
  const slot = run.addReady({ id: "e0" });
  run.send(requestWith({}));
  const before = run.inputs.length;
  run.recording.health(slot, true, 5);
  run.recording.tick(6);
  assert.equal(run.inputs.length, before);
  run.recording.tick(100_000);
  assert.equal(kinds(run).at(-1), "tick");
  assert.equal(run.recording.inFlightCount, 0);
});

test("recording-core: neither a prompt nor the tokens of an event are recorded", () => {
  const run = new RecordedRun(SINGLE);
  run.addReady({ id: "e0" });
  const prompt = "Tell nobody of the blue door. ".repeat(20);
  run.serve(requestWith({ prompt, cacheSalt: "tenant-salt" }));
  run.serve(requestWith({ chat: prompt }));
  const tokenIds = new Uint32Array(new TextEncoder().encode(prompt).slice(0, 64).buffer);
  const stored = { kind: "stored", blockHashes: [1], parentHash: undefined, tokenIds } as const;
  run.recording.kvEvents(0, [{ ...stored, blockTokens: 16, cacheSalt: "tenant-salt" }], 9);
  const text = run.lines().join("\n");
  for (const secret of ["blue door", "tenant-salt", String(tokenIds[0]), btoa("blue door")]) {
    assert.equal(text.includes(secret), false, secret);
  }
});

test("recording-core: the model's chain is recorded to its last whole block", () => {
  const { chains, promptBytes } = recorded({});
  assert.equal(promptBytes, 5);
  assert.deepEqual(chains, [{ blockBytes: 64, hashes: "" }]);
  const run = new RecordedRun(
    SINGLE.replace("maxPrefixBlocksToMatch: 256", "maxPrefixBlocksToMatch: 2"),
  );
  run.addReady({ id: "e0" });
  run.send(requestWith({ prompt: "x".repeat(64 * 5 + 3) }));
  const line = run.inputs.at(-1);
  assert.ok(line?.kind === "arrive");
  const [chain] = line.request.chains;
  assert.equal(Buffer.from(chain?.hashes ?? "", "base64").length, 5 * 8);
});

const headerCases: readonly {
  name: string;
  headers: RequestHeaders;
  want: Readonly<Record<string, string>>;
}[] = [
  {
    name: "what no plugin reads is not recorded",
    headers: { authorization: "Bearer abc", "user-agent": "curl", cookie: "session=s1" },
    want: {},
  },
  {
    name: "what builtin plugins read by default is",
    headers: { "x-session-id": "s1", "x-prefill": "true" },
    want: { "x-session-id": "s1", "x-prefill": "true" },
  },
  {
    name: "a value is cut",
    headers: { "x-session-id": "s".repeat(5000) },
    want: { "x-session-id": "s".repeat(1024) },
  },
];
for (const { name, headers, want } of headerCases) {
  test(`recording-core: headers: ${name}`, () => {
    assert.deepEqual(recorded(headers).headers, want);
  });
}

test("recording-core: headers: cookies are masked, and equal ones stay equal", () => {
  const cookieOf = (cookie: string): string =>
    recorded({ cookie }, BY_COOKIE).headers["cookie"] ?? "";
  const plain = cookieOf("token=t0; session=s1");
  assert.match(plain, /^token=[0-9a-f]{32}; session=[0-9a-f]{32}$/);
  assert.equal(cookieOf('session="s1"'), cookieOf("session=s1"));
  assert.notEqual(cookieOf("session=s1"), cookieOf("session=s2"));
});
