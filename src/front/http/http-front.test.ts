import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI from "openai";
import { eventually } from "../../../test/fixtures/eventually.ts";
import {
  type FrontUnderTest,
  frontUnderTest,
  poolOf,
  RawClient,
} from "../../../test/fixtures/front-under-test.ts";

const COMPLETION = JSON.stringify({ model: "model-a", prompt: "hello" });

interface Case {
  readonly name: string;
  readonly path: string;
  readonly init?: RequestInit;
  readonly status: number;
  readonly error?: { readonly type: string; readonly code: string | null; readonly param?: string };
  readonly headers?: Readonly<Record<string, string>>;
}

const invalid = { type: "invalid_request_error", code: null };
const cases: readonly Case[] = [
  { name: "the short form finds the pool by model", path: "/v1/completions", status: 200 },
  { name: "the long form names the pool", path: "/default/alpha/v1/completions", status: 200 },
  {
    name: "a model that nobody serves",
    path: "/v1/completions",
    init: { body: JSON.stringify({ model: "other", prompt: "x" }) },
    status: 404,
    error: { type: "invalid_request_error", code: "model_not_found", param: "model" },
  },
  {
    name: "a model that another pool serves, in the long form",
    path: "/default/beta/v1/completions",
    status: 404,
    error: { type: "invalid_request_error", code: "model_not_found", param: "model" },
  },
  { name: "not JSON", path: "/v1/completions", init: { body: "{se" }, status: 400, error: invalid },
  {
    name: "no model",
    path: "/v1/completions",
    init: { body: "{}" },
    status: 400,
    error: { ...invalid, param: "model" },
  },
  {
    name: "a bad X-Prefill",
    path: "/v1/completions",
    init: { headers: { "x-prefill": "maybe" } },
    status: 400,
    error: invalid,
  },
  {
    name: "a compressed body",
    path: "/v1/completions",
    init: { headers: { "content-encoding": "gzip" } },
    status: 415,
    error: invalid,
  },
  {
    name: "a body over the limit",
    path: "/v1/completions",
    init: { body: "x".repeat(100_001) },
    status: 413,
    error: invalid,
    headers: { connection: "close" },
  },
  { name: "an unknown path", path: "/health", status: 404, error: invalid },
  {
    name: "a wrong method",
    path: "/v1/completions",
    init: { method: "PUT" },
    status: 405,
    error: invalid,
    headers: { allow: "POST" },
  },
  {
    name: "no endpoint is ready",
    path: "/default/empty/v1/completions",
    init: { body: JSON.stringify({ model: "model-e", prompt: "x" }) },
    status: 503,
    error: { type: "no_endpoints", code: "no_endpoints" },
    headers: { "retry-after": "1" },
  },
  {
    name: "filters left nobody",
    path: "/v1/completions",
    init: { body: JSON.stringify({ model: "model-f", prompt: "x" }) },
    status: 429,
    error: { type: "overloaded", code: "overloaded" },
    headers: { "retry-after": "1", "x-switchyard-decision": "full.1" },
  },
  {
    name: "a queued request is refused as long as nothing waits for it",
    path: "/v1/completions",
    init: { body: JSON.stringify({ model: "model-q", prompt: "x" }) },
    status: 503,
    error: { type: "overloaded", code: "overloaded" },
    headers: { "retry-after": "5", "x-switchyard-decision": "queue.1" },
  },
  {
    name: "a core that throws",
    path: "/v1/completions",
    init: { body: JSON.stringify({ model: "model-t", prompt: "x" }) },
    status: 500,
    error: { type: "plugin_failed", code: "plugin_failed" },
  },
];

const pools = (): Parameters<typeof frontUnderTest>[0] => ({
  limits: { bodyBytesMax: 100_000 },
  pools: [
    poolOf({ name: "alpha", models: ["model-a", "org/model"] }),
    poolOf({ name: "beta", models: ["model-b"] }),
    poolOf({
      name: "empty",
      models: ["model-e"],
      arrive: () => ({
        kind: "rejected",
        rejection: { reason: "no-endpoints", message: "no endpoint is ready" },
        decision: undefined,
      }),
    }),
    poolOf({
      name: "full",
      models: ["model-f"],
      arrive: (decision) => ({
        kind: "rejected",
        rejection: { reason: "filtered-out", message: "every endpoint was filtered out" },
        decision,
      }),
    }),
    poolOf({
      name: "queue",
      models: ["model-q"],
      arrive: (decision) => ({ kind: "queued", decision }),
    }),
    poolOf({
      name: "broken",
      models: ["model-t"],
      arrive: () => {
        throw new Error("out of order");
      },
    }),
  ],
});

for (const { name, path, init, status, error, headers } of cases) {
  test(`http-front: ${name} is ${status}`, async () => {
    await using under = await frontUnderTest(pools());
    const response = await fetch(under.url + path, { method: "POST", body: COMPLETION, ...init });
    const answer = (await response.json()) as { error?: Record<string, unknown> };
    assert.equal(response.status, status);
    assert.match(response.headers.get("x-request-id") ?? "", /^[0-9a-f-]{36}$/);
    for (const [header, value] of Object.entries(headers ?? {})) {
      assert.equal(response.headers.get(header), value);
    }
    if (error !== undefined) {
      const { message, ...rest } = answer.error ?? {};
      assert.deepEqual(rest, { param: null, ...error });
      assert.ok(typeof message === "string" && message.length > 10);
      assertOneReport(under, status);
    } else {
      assert.deepEqual(answer, { path: "/v1/completions", bytes: COMPLETION.length });
      assert.equal(under.reports.length, 0, "the dispatcher reports what it got");
    }
  });
}

test("http-front: a job carries what the dispatcher needs", async () => {
  await using under = await frontUnderTest();
  await fetch(`${under.url}/default/alpha/v1/completions?trace=1`, {
    method: "POST",
    body: COMPLETION,
    headers: { "x-request-id": "caller:7", "x-team": "blue" },
  });
  const [job] = under.jobs;
  assert.ok(job !== undefined);
  assert.equal(job.request.path, "/v1/completions?trace=1");
  assert.equal(job.request.id, "caller:7");
  assert.equal(job.request.header("x-team"), "blue");
  assert.equal(job.decision, 1);
  assert.equal(job.decisionId, "alpha.1");
  assert.equal(job.model, "model-a");
  assert.equal(Buffer.from(job.body.whole).toString(), COMPLETION);
});

for (const given of ["has space", "x".repeat(129), 'quote"']) {
  test(`http-front: the request id ${given.slice(0, 12)} is replaced`, async () => {
    await using under = await frontUnderTest();
    const headers = { "x-request-id": given };
    const response = await fetch(`${under.url}/v1/models`, { headers });
    assert.match(response.headers.get("x-request-id") ?? "", /^[0-9a-f-]{36}$/);
  });
}

test("http-front: errors repeat neither the body nor more than a clip of the model", async () => {
  await using under = await frontUnderTest();
  const model = `<script>\u0000"${"m".repeat(500)}`;
  for (const body of ['{"secret-word', JSON.stringify({ model, prompt: "secret-word" })]) {
    const response = await fetch(`${under.url}/v1/completions`, { method: "POST", body });
    const text = await response.text();
    assert.ok(!text.includes("secret-word"));
    assert.ok(text.length < 400, text);
    JSON.parse(text);
  }
  assert.deepEqual(
    under.reports.map((report) => report.model),
    [undefined, undefined],
  );
});

test("http-front: the models of all pools or of one, for openai's client and for HEAD", async () => {
  await using under = await frontUnderTest(pools());
  const all = new OpenAI({ baseURL: `${under.url}/v1`, apiKey: "none", maxRetries: 0 });
  const ids = (await all.models.list()).data.map((model) => model.id);
  assert.deepEqual(ids.slice(0, 3), ["model-a", "org/model", "model-b"]);
  assert.equal((await all.models.retrieve("org/model")).owned_by, "switchyard");
  await assert.rejects(all.models.retrieve("nope"), { status: 404, code: "model_not_found" });
  const one = new OpenAI({
    baseURL: `${under.url}/default/beta/v1`,
    apiKey: "none",
    maxRetries: 0,
  });
  assert.deepEqual((await one.models.list()).data, [
    { id: "model-b", object: "model", created: 1_700_000_000, owned_by: "switchyard" },
  ]);
  const head = await fetch(`${under.url}/v1/models`, { method: "HEAD" });
  assert.equal(head.status, 200);
  assert.equal(await head.text(), "");
  assert.ok(Number(head.headers.get("content-length")) > 100);
  assert.equal(under.reports.filter((report) => report.how === "completed").length, 4);
});

test("http-front: openai's client sees a refusal as its own error class", async () => {
  await using under = await frontUnderTest(pools());
  const client = new OpenAI({ baseURL: `${under.url}/v1`, apiKey: "none", maxRetries: 0 });
  await assert.rejects(
    client.chat.completions.create({
      model: "model-f",
      messages: [{ role: "user", content: "x" }],
    }),
    OpenAI.RateLimitError,
  );
});

test("http-front: thirty pipelined requests are answered in order on one connection", async () => {
  await using under = await frontUnderTest({
    // The later a request, the sooner its work is done: order must come from the connection.
    dispatch: async ({ request, response, decision }) => {
      await new Promise((resolve) => setTimeout(resolve, (30 - decision) % 7));
      response.writeHead(200, { "content-length": "3" }).end(request.id.slice(-3));
    },
  });
  const client = new RawClient(under.front.port);
  const ids = Array.from({ length: 30 }, (_, i) => `id-${100 + i}`);
  const post = (id: string): string =>
    `POST /v1/completions HTTP/1.1\r\nhost: x\r\nx-request-id: ${id}\r\n` +
    `content-length: ${COMPLETION.length}\r\n\r\n${COMPLETION}`;
  client.send(ids.map(post).join(""));
  const received = await client.until((text) => text.endsWith("\r\n\r\n129"));
  client.socket.destroy();
  const bodies = [...received.matchAll(/\r\n\r\n(\d{3})/g)].map((match) => `id-${match[1]}`);
  assert.deepEqual(bodies, ids);
});

test("http-front: pipelined requests whose connection dies are reported once each", async () => {
  await using under = await frontUnderTest({
    dispatch: ({ response }) => new Promise((resolve) => response.once("close", () => resolve())),
  });
  const client = new RawClient(under.front.port);
  const head = `POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-length: ${COMPLETION.length}`;
  client.send(`${head}\r\n\r\n${COMPLETION}`.repeat(4));
  await eventually(() => under.jobs.length === 1);
  client.socket.destroy();
  await eventually(() => under.reports.length === 3);
  assert.deepEqual(new Set(under.reports.map((report) => report.outcome.status)), new Set([499]));
  assert.equal(under.jobs.length, 1);
});

test("http-front: a dispatcher that throws costs the client its connection, not the process", async () => {
  await using under = await frontUnderTest({ dispatch: () => Promise.reject(new Error("bug")) });
  const post = fetch(`${under.url}/v1/completions`, { method: "POST", body: COMPLETION });
  await assert.rejects(post);
  assert.equal((await fetch(`${under.url}/v1/models`)).status, 200);
});

test("http-front: draining refuses requests on kept connections and waits for running ones", async () => {
  const release = Promise.withResolvers<void>();
  await using under = await frontUnderTest({
    dispatch: async ({ response }) => {
      await release.promise;
      response.end("done");
    },
  });
  const kept = new RawClient(under.front.port);
  kept.send("GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n");
  await kept.until((text) => text.includes("model-a"));
  const running = fetch(`${under.url}/v1/completions`, { method: "POST", body: COMPLETION });
  await eventually(() => under.jobs.length === 1);
  const drained = under.front.drain();
  kept.send("GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n");
  const received = await kept.closed();
  assert.match(received, /HTTP\/1.1 503 .*connection: close.*"code":"draining"/is);
  await assert.rejects(fetch(`${under.url}/v1/models`), "nothing listens any more");
  release.resolve();
  assert.equal(await (await running).text(), "done");
  await drained;
});

test("http-front: draining ends at its limit", async () => {
  await using under = await frontUnderTest({
    limits: { drainTimeoutMs: 10 },
    dispatch: ({ response }) => new Promise((resolve) => response.once("close", () => resolve())),
  });
  const running = fetch(`${under.url}/v1/completions`, { method: "POST", body: COMPLETION });
  await eventually(() => under.jobs.length === 1);
  await Promise.all([assert.rejects(running), under.front.drain()]);
});

test("http-front: a port in use is an error, not a silent front", async () => {
  await using under = await frontUnderTest();
  await assert.rejects(frontUnderTest({ port: under.front.port }), { code: "EADDRINUSE" });
});

function assertOneReport(under: FrontUnderTest, status: number): void {
  assert.equal(under.reports.length, 1);
  const [report] = under.reports;
  assert.equal(report?.how, "rejected");
  assert.equal(report?.outcome.status, status);
}
