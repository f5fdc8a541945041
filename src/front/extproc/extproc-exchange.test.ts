import assert from "node:assert/strict";
import test from "node:test";
import { eventually } from "../../../test/fixtures/eventually.ts";
import type { ExtProcCall } from "../../../test/fixtures/extproc-client.ts";
import { removedHeadersOf, setHeadersOf } from "../../../test/fixtures/extproc-client.ts";
import {
  ASKED,
  type ExtProcUnderTest,
  extProcUnderTest,
} from "../../../test/fixtures/extproc-under-test.ts";
import { steeringFilter } from "../../../test/fixtures/pool-core.ts";

const BODY = JSON.stringify({ model: "m", prompt: "hello" });
const TWO = { pool: { endpoints: [{ address: "10.0.0.1:8000" }, { address: "10.0.0.2:8000" }] } };
const ANSWER = { ":status": "200", "content-type": "application/json" };
const USAGE = '{"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}';

/** The call is over and the books are closed. */
async function isClosed({ front, pool, reports }: ExtProcUnderTest, count = 1): Promise<void> {
  await eventually(() => reports.length === count && front.exchangeCount === 0);
  assert.equal(pool.core.inFlightCount, 0);
  assert.equal(front.bufferedBytes, 0);
}

/** What an immediate answer says. */
async function immediate(
  call: ExtProcCall,
): Promise<{ status: number; error: Record<string, unknown>; headers: Record<string, string> }> {
  const reply = await call.next();
  assert.ok(reply.response.case === "immediateResponse", reply.response.case);
  const { error } = JSON.parse(Buffer.from(reply.response.value.body).toString());
  const status = reply.response.value.status?.code ?? 0;
  return { status, error, headers: setHeadersOf(reply) };
}

test("extproc: a request comes back with its destination, an answer as it came", async () => {
  await using epp = await extProcUnderTest(TWO);
  const call = epp.client.open().headers("request", ASKED).body("request", BODY);
  const head = await call.next();
  const set = setHeadersOf(head);
  assert.match(set["x-gateway-destination-endpoint"] ?? "", /^10\.0\.0\.[12]:8000$/);
  assert.deepEqual(head.dynamicMetadata, {
    "envoy.lb": { "x-gateway-destination-endpoint": set["x-gateway-destination-endpoint"] },
  });
  assert.equal(set["content-length"], String(BODY.length));
  assert.deepEqual((await call.wholeBody("request")).bytes.toString(), BODY);
  assert.equal(epp.pool.core.inFlightCount, 1);
  call
    .headers("response", ANSWER)
    .body("response", USAGE.slice(0, 9), false)
    .body("response", USAGE.slice(9));
  const answered = setHeadersOf(await call.next());
  assert.equal(answered["x-request-id"], "r-1");
  assert.match(answered["x-switchyard-endpoint"] ?? "", /^e[01]$/);
  assert.match(answered["x-switchyard-decision"] ?? "", /^pool\.\d+$/);
  const { bytes, pieces } = await call.wholeBody("response");
  assert.equal(bytes.toString(), USAGE);
  assert.deepEqual(pieces, [9, USAGE.length - 9]);
  assert.equal((await call.halfClose().status).code, 0);
  await isClosed(epp);
  const [report] = epp.reports;
  assert.equal(report?.how, "completed");
  assert.equal(report?.outcome.status, 200);
  assert.deepEqual(report?.outcome.usage, {
    promptTokens: 3,
    completionTokens: 2,
    cachedTokens: null,
  });
  assert.notEqual(report?.outcome.ttftMs, null);
  assert.deepEqual(epp.started, ["m"]);
});

test("extproc: what could steer a sidecar is removed, and nothing that the picker sets", async () => {
  await using epp = await extProcUnderTest({ pool: {} });
  const call = epp.client
    .open()
    .headers("request", { ...ASKED, "x-prefiller-host-port": "evil:1", "x-switchyard-x": "1" })
    .body("request", BODY);
  const removed = removedHeadersOf(await call.next());
  for (const name of [
    "x-prefiller-host-port",
    "x-encoder-hosts-ports",
    "x-data-parallel-host-port",
    "x-kv-cache-source-host-port",
    "x-switchyard-x",
  ]) {
    assert.ok(removed.includes(name), name);
  }
  assert.ok(!removed.includes("x-gateway-destination-endpoint"));
  call.cancel();
  await isClosed(epp);
});

test("extproc: a body is given back in pieces with one end", async () => {
  await using epp = await extProcUnderTest();
  const body = JSON.stringify({ model: "m", prompt: "x".repeat(300_000) });
  const call = epp.client.open().headers("request", ASKED);
  for (let at = 0; at < body.length; at += 50_000)
    call.body("request", body.slice(at, at + 50_000), false);
  call.body("request", "", true);
  await call.next();
  const { bytes, pieces } = await call.wholeBody("request");
  assert.equal(bytes.toString(), body);
  assert.ok(Math.max(...pieces) <= 62_000);
  call.halfClose();
  assert.equal((await call.status).code, 0);
  await isClosed(epp);
});

test("extproc: trailers end a body in the place of its own end", async () => {
  await using epp = await extProcUnderTest();
  const call = epp.client
    .open()
    .headers("request", ASKED)
    .body("request", BODY, false)
    .trailers("request");
  const cases = [
    (await call.next()).response.case,
    (await call.next()).response.case,
    (await call.next()).response.case,
  ];
  assert.deepEqual(cases, ["requestHeaders", "requestBody", "requestTrailers"]);
  const mutation = call.replies[1]?.response;
  assert.ok(mutation?.case === "requestBody");
  const piece = mutation.value.response?.bodyMutation?.mutation;
  assert.ok(piece?.case === "streamedResponse" && !piece.value.endOfStream);
  call
    .headers("response", ANSWER)
    .body("response", "{}", false)
    .trailers("response", { "x-switchyard-pd": "outcome=remote" });
  await call.next();
  await call.next();
  assert.deepEqual(removedHeadersOf(await call.next()), ["x-switchyard-pd"]);
  call.halfClose();
  await isClosed(epp);
  assert.equal(epp.reports[0]?.how, "completed");
  assert.equal(epp.reports[0]?.outcome.pd?.outcome, "remote");
});

test("extproc: a request without a body goes through the filters", async () => {
  const pool = {
    ...TWO.pool,
    plugins: ["single-profile-handler", "max-score-picker", steeringFilter],
    profiles: { default: ["steering-filter", "max-score-picker"] },
  };
  await using epp = await extProcUnderTest({ pool });
  for (const [id, address] of [
    ["e0", "10.0.0.1:8000"],
    ["e1", "10.0.0.2:8000"],
  ] as const) {
    const asked = { ":method": "GET", ":path": "/v1/models", "x-test-endpoint": id };
    const call = epp.client.open().headers("request", asked, { isEnd: true });
    const set = setHeadersOf(await call.next());
    assert.equal(set["x-gateway-destination-endpoint"], address);
    assert.equal(set["content-length"], undefined);
    call.headers("response", ANSWER, { isEnd: true });
    await call.next();
    call.halfClose();
    await call.status;
  }
  const nobody = epp.client
    .open()
    .headers("request", { ":path": "/x", "x-test-endpoint": "e9" }, { isEnd: true });
  assert.equal((await immediate(nobody)).status, 429);
  await isClosed(epp, 3);
});

const REFUSED: readonly (readonly [name: string, body: string, status: number, type: string])[] = [
  ["no JSON", "{", 400, "invalid_request_error"],
  ["no model", '{"prompt":"x"}', 400, "invalid_request_error"],
  ["no prompt", '{"model":"m"}', 400, "invalid_request_error"],
  ["an empty body", "", 400, "invalid_request_error"],
  [
    "a body over the limit",
    `{"model":"m","prompt":"${"x".repeat(2000)}"}`,
    413,
    "invalid_request_error",
  ],
];
for (const [name, body, status, type] of REFUSED) {
  test(`extproc: ${name} is answered ${status}`, async () => {
    await using epp = await extProcUnderTest({ limits: { bodyBytesMax: 1000 } });
    const call = epp.client.open().headers("request", ASKED).body("request", body);
    const answer = await immediate(call);
    assert.equal(answer.status, status);
    assert.equal(answer.error["type"], type);
    assert.equal(answer.headers["x-request-id"], "r-1");
    assert.equal((await call.status).code, 0);
    await isClosed(epp);
    assert.equal(epp.reports[0]?.outcome.status, status);
  });
}

const HEADERS_REFUSED: readonly (readonly [string, Record<string, string>, number])[] = [
  ["a compressed body", { "content-encoding": "gzip" }, 415],
  ["a declared length over the limit", { "content-length": "1001" }, 413],
];
for (const [name, headers, status] of HEADERS_REFUSED) {
  test(`extproc: ${name} is answered ${status} before it comes`, async () => {
    await using epp = await extProcUnderTest({ limits: { bodyBytesMax: 1000 } });
    const call = epp.client.open().headers("request", { ...ASKED, ...headers });
    assert.equal((await immediate(call)).status, status);
    await isClosed(epp);
  });
}

test("extproc: no endpoint is 503, with the seconds to wait", async () => {
  await using epp = await extProcUnderTest({ pool: { endpoints: [] } });
  const call = epp.client.open().headers("request", ASKED).body("request", BODY);
  const { status, headers, error } = await immediate(call);
  assert.deepEqual([status, headers["retry-after"], error["code"]], [503, "1", "no_endpoints"]);
  assert.match(headers["x-switchyard-decision"] ?? "", /^pool\.\d+$/);
  await isClosed(epp);
});

test("extproc: a body that does not come in time is 408", async () => {
  await using epp = await extProcUnderTest({ limits: { requestTimeoutMs: 20 } });
  const call = epp.client.open().headers("request", ASKED).body("request", BODY, false);
  assert.equal((await immediate(call)).status, 408);
  await isClosed(epp);
});

const SUBSETS: readonly (readonly [string, readonly (string | number)[], string | undefined])[] = [
  ["one endpoint", ["10.0.0.2:9999"], "10.0.0.2:8000"],
  ["a stranger", ["192.168.1.1:8080"], undefined],
  ["nobody", [], undefined],
];
for (const [name, subset, destination] of SUBSETS) {
  test(`extproc: a gateway that allows ${name} is obeyed`, async () => {
    await using epp = await extProcUnderTest(TWO);
    const filterMetadata = {
      "envoy.lb.subset_hint": { "x-gateway-destination-endpoint-subset": [...subset] },
    };
    const asked = { metadataContext: { filterMetadata } };
    const call = epp.client.open().headers("request", ASKED, { asked }).body("request", BODY);
    if (destination === undefined) assert.equal((await immediate(call)).status, 503);
    else
      assert.equal(setHeadersOf(await call.next())["x-gateway-destination-endpoint"], destination);
    call.cancel();
    await isClosed(epp);
  });
}

test("extproc: the endpoint that the proxy went on to gets the credit", async () => {
  await using epp = await extProcUnderTest(TWO);
  const call = epp.client.open().headers("request", ASKED).body("request", BODY);
  const first = setHeadersOf(await call.next())["x-gateway-destination-endpoint"];
  await call.wholeBody("request");
  const served = first === "10.0.0.1:8000" ? "10.0.0.2:8000" : "10.0.0.1:8000";
  const filterMetadata = { "envoy.lb": { "x-gateway-destination-endpoint-served": served } };
  call.headers("response", ANSWER, { asked: { metadataContext: { filterMetadata } }, isEnd: true });
  const want = served === "10.0.0.1:8000" ? "e0" : "e1";
  assert.equal(setHeadersOf(await call.next())["x-switchyard-endpoint"], want);
  call.halfClose();
  await isClosed(epp);
  assert.equal(epp.reports[0]?.endpoint, want);
});

test("extproc: an engine's 500 is passed on and counted as its error", async () => {
  await using epp = await extProcUnderTest();
  const call = epp.client.open().headers("request", ASKED).body("request", BODY);
  await call.next();
  await call.wholeBody("request");
  call.headers("response", { ":status": "500" }, { isEnd: true });
  await call.next();
  call.halfClose();
  await isClosed(epp);
  assert.equal(epp.reports[0]?.how, "engine-error");
});

for (const [name, leave] of [
  ["a reset", (call: ExtProcCall) => call.cancel()],
  ["a half-close", (call: ExtProcCall) => call.halfClose()],
] as const) {
  test(`extproc: ${name} in the middle of an answer ends the exchange once`, async () => {
    await using epp = await extProcUnderTest();
    const call = epp.client.open().headers("request", ASKED).body("request", BODY);
    await call.next();
    await call.wholeBody("request");
    call.headers("response", ANSWER).body("response", "{", false);
    await call.next();
    await call.next();
    leave(call);
    await isClosed(epp);
    assert.equal(epp.reports[0]?.how, "client-left");
    assert.equal(epp.reports[0]?.outcome.status, 499);
  });
}

test("extproc: an answer of the proxy's own before the request was whole passes", async () => {
  await using epp = await extProcUnderTest();
  const call = epp.client.open().headers("request", ASKED).body("request", "{", false);
  call.headers("response", { ":status": "408" }).body("response", "late");
  assert.equal((await call.next()).response.case, "responseHeaders");
  assert.equal((await call.wholeBody("response")).bytes.toString(), "late");
  assert.equal((await call.halfClose().status).code, 0);
  await isClosed(epp);
});

test("extproc: a path with the service's prefix is read as the engine will see it", async () => {
  await using epp = await extProcUnderTest();
  const call = epp.client
    .open()
    .headers("request", { ...ASKED, ":path": "/ns/name/v1/completions?x=1" })
    .body("request", '{"model":"m"}');
  // Without the prefix it would be some other path, for which no prompt is needed.
  assert.equal((await immediate(call)).status, 400);
  await isClosed(epp);
});

test("extproc: health follows readiness, and liveness does not", async () => {
  let isReady = false;
  await using epp = await extProcUnderTest({ isReady: () => isReady, hasHealthOnPort: true });
  const { ExtProcClient } = await import("../../../test/fixtures/extproc-client.ts");
  await using onHealthPort = new ExtProcClient(epp.front.healthPort);
  const services = ["", "readiness", "envoy.service.ext_proc.v3.ExternalProcessor", "liveness"];
  for (const client of [epp.client, onHealthPort]) {
    isReady = false;
    assert.deepEqual(await Promise.all(services.map((name) => client.health(name))), [2, 2, 2, 1]);
    isReady = true;
    assert.deepEqual(await Promise.all(services.map((name) => client.health(name))), [1, 1, 1, 1]);
    assert.equal(await client.health("other"), "unknown service");
    assert.equal(await client.health("", "Watch"), "there is no such method here");
  }
});

test("extproc: draining turns health and lets what is under way end", async () => {
  await using epp = await extProcUnderTest({ hasHealthOnPort: true });
  const call = epp.client.open().headers("request", ASKED).body("request", BODY);
  await call.next();
  await call.wholeBody("request");
  const drained = epp.front.drain();
  assert.equal(await epp.client.health("readiness"), 2);
  call.headers("response", ANSWER).body("response", "{}");
  await call.next();
  await call.wholeBody("response");
  call.halfClose();
  assert.equal((await call.status).code, 0);
  await drained;
  assert.equal(epp.reports[0]?.how, "completed");
});
