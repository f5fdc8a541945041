import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { exchangeReport } from "../../test/fixtures/exchange-report.ts";
import type { ExchangeReport } from "../core/exchange-report.ts";
import { createAccessLog } from "./access-log.ts";
import { createLog, type LogLevel } from "./create-log.ts";

test("access-log: one JSON line with the facts of the request", () => {
  const usage = { promptTokens: 10, completionTokens: 5, cachedTokens: null };
  const outcome = { usage, ttftMs: 12.34567, itlMs: 3, retryCount: 1 };
  const { time, ...line } = lineOf(exchangeReport({}, outcome));
  assert.match(String(time), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  assert.deepEqual(line, {
    event: "request",
    requestId: "request-1",
    pool: "alpha",
    model: "model-a",
    path: "/v1/completions",
    status: 200,
    how: "completed",
    endpoint: "alpha-0",
    decision: "alpha.1",
    isStreaming: true,
    requestBytes: 1000,
    promptBytes: 900,
    responseBytes: 2000,
    promptTokens: 10,
    completionTokens: 5,
    cachedTokens: null,
    ttftMs: 12.346,
    itlMs: 3,
    e2eMs: 5000,
    wallMs: 50,
    retries: 1,
  });
});

test("access-log: a P/D outcome is nested, its reason only if it is a token", () => {
  const pd = {
    outcome: "fallback",
    prefillEndpoint: "alpha-prefill-0",
    prefillMs: 10.00049,
    handleBlocks: null,
    kvBytes: null,
    kvMs: null,
    kvHandshakeMs: null,
    prefillCachedTokens: null,
    decodeCachedTokens: null,
  } as const;
  for (const [reason, want] of [
    ["prefill-timeout", "prefill-timeout"],
    ['a "quoted" text', null],
    ["x".repeat(100), null],
  ] as const) {
    const line = lineOf(exchangeReport({}, { pd: { ...pd, reason } }));
    assert.deepEqual(line["pd"], { ...pd, reason: want, prefillMs: 10 });
  }
});

for (const [path, want] of [
  ["/v1/completions?api_key=secret", "/v1/completions"],
  ["/team/alpha/v1/models", "/team/alpha/v1/models"],
  ["/<script>", null],
  [`/${"a".repeat(300)}`, null],
] as const) {
  test(`access-log: the path ${path.slice(0, 30)} is logged as ${want}`, () => {
    assert.equal(lineOf(exchangeReport({ path }))["path"], want);
  });
}

test("access-log: the lines of a turn are one write, at its end, each whole", async () => {
  const writes: string[] = [];
  const log = createAccessLog({ write: (text) => void writes.push(text) });
  for (const path of ["/a", "/b"]) log.write(exchangeReport({ path }));
  assert.equal(writes.length, 0);
  await nextTurn();
  log.write(exchangeReport({ path: "/c" }));
  log.flush();
  await nextTurn();
  const paths = writes.map((text) => text.match(/"path":"[^"]*"/g));
  assert.deepEqual(paths, [['"path":"/a"', '"path":"/b"'], ['"path":"/c"']]);
});

test("access-log: what waits for the turn's end is bounded", () => {
  const writes: string[] = [];
  const log = createAccessLog({ write: (text) => void writes.push(text) });
  for (let i = 0; i < 1000; i++) log.write(exchangeReport());
  assert.ok(writes.length > 1 && writes.every((text) => text.length < 70_000));
  log.flush();
  assert.equal(writes.join("").split("\n").length, 1001);
});

test("create-log: event, level, time and fields in one line", () => {
  const [line] = logged("info", (log) => log.warn("scrape-failed", { endpoint: "a", count: 2 }));
  const { time, ...rest } = JSON.parse(line ?? "") as Record<string, unknown>;
  assert.equal(typeof time, "string");
  assert.deepEqual(rest, { level: "warn", event: "scrape-failed", endpoint: "a", count: 2 });
});

for (const [level, want] of [
  ["info", ["i", "w", "e"]],
  ["warn", ["w", "e"]],
  ["error", ["e"]],
  ["silent", []],
] as const) {
  test(`create-log: level ${level} lets ${want.length} of three lines through`, () => {
    const lines = logged(level, (log) => {
      log.info("i");
      log.warn("w");
      log.error("e");
    });
    assert.deepEqual(
      lines.map((line) => (JSON.parse(line) as { event: string }).event),
      want,
    );
  });
}

test("create-log: a line is bounded however long its fields are", () => {
  const [line = ""] = logged("info", (log) =>
    log.info("plugin-failed", { error: "x".repeat(1e6) }),
  );
  assert.ok(line.length < 9000);
  assert.match((JSON.parse(line) as { clipped: string }).clipped, /^\{"error":"xxx/);
});

function lineOf(report: ExchangeReport): Record<string, unknown> {
  const lines: string[] = [];
  const log = createAccessLog({ write: (text) => void lines.push(text) });
  log.write(report);
  log.flush();
  assert.equal(lines.length, 1);
  assert.ok(lines[0]?.endsWith("}\n"));
  return JSON.parse(lines[0] ?? "") as Record<string, unknown>;
}

function logged(level: LogLevel, run: (log: ReturnType<typeof createLog>) => void): string[] {
  const lines: string[] = [];
  run(createLog({ level, stream: { write: (text) => void lines.push(text) } }));
  return lines;
}
