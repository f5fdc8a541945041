import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { RunningUp } from "../fixtures/running-up.ts";

const GPT = "openai/gpt-oss-20b";

interface Line {
  readonly requestId: string;
  readonly status: number;
  readonly how: string;
  readonly endpoint: string;
  readonly retries: number;
}

let up: RunningUp;

before(async () => {
  up = await RunningUp.start(["examples/gpt-oss-20b.yaml", "--replicas", "2"]);
});
after(() => up.stop());

function post(body: object, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${up.url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ model: GPT, ...body }),
  });
}

async function lineOf(requestId: string): Promise<Line> {
  const find = (): Line | undefined =>
    up.lines.map((line) => JSON.parse(line) as Line).find((line) => line.requestId === requestId);
  await up.until(() => Promise.resolve(find() !== undefined));
  return find() as Line;
}

/** Reads a stream to its end; false when it was cut. */
async function isComplete(response: Response): Promise<boolean> {
  try {
    return (await response.text()).includes("[DONE]");
  } catch {
    return false;
  }
}

test("failures: a killed engine cuts its stream, others go on, and it returns after start", async () => {
  const long = { prompt: "A stream that is cut", max_tokens: 5000, ignore_eos: true, stream: true };
  const cut = await post(long, { "x-request-id": "cut-stream" });
  const victim = cut.headers.get("x-switchyard-endpoint") ?? "none";
  const other = victim === "gpt-oss-20b-0" ? "gpt-oss-20b-1" : "gpt-oss-20b-0";
  let bystander: Response;
  do {
    bystander = await post({
      prompt: `Somebody else ${Math.random()}`,
      max_tokens: 400,
      ignore_eos: true,
      stream: true,
    });
  } while (bystander.headers.get("x-switchyard-endpoint") !== other);
  await up.control(victim, "kill");
  assert.equal(await isComplete(cut), false);
  assert.equal((await lineOf("cut-stream")).how, "connection-lost");
  assert.equal(await isComplete(bystander), true);

  // Nothing is sent to the dead one, and a request that would have gone there succeeds elsewhere.
  for (let turn = 0; turn < 4; turn++) {
    const answer = await post({ prompt: "A stream that is cut", max_tokens: 4 });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get("x-switchyard-endpoint"), other);
    await answer.arrayBuffer();
  }
  await up.control(victim, "start");
  await up.untilReady(2);
  // Until its first scrape the endpoint is unknown, and known idle ones are preferred to it.
  let turn = 0;
  await up.until(async () => {
    const answer = await post({ prompt: `${turn++} Back again ${"x".repeat(200)}`, max_tokens: 1 });
    await answer.arrayBuffer();
    return answer.headers.get("x-switchyard-endpoint") === victim;
  });
});

test("failures: an engine killed before the first byte is retried on the other", async () => {
  // A prompt of 100,000 tokens is computed for seconds: time enough to kill.
  const slow = post(
    { prompt: "slow ".repeat(80_000), max_tokens: 2 },
    { "x-request-id": "slow-prefill" },
  );
  let victim = "";
  await up.until(async () => {
    const endpoints =
      await up.admin<readonly { name: string; attributes: { inFlightRequests: number } }[]>(
        "/api/endpoints",
      );
    victim = endpoints.find((endpoint) => endpoint.attributes.inFlightRequests > 0)?.name ?? "";
    return victim !== "";
  });
  await up.control(victim, "kill");
  const answer = await slow;
  assert.equal(answer.status, 200);
  assert.notEqual(answer.headers.get("x-switchyard-endpoint"), victim);
  await answer.arrayBuffer();
  const line = await lineOf("slow-prefill");
  assert.equal(line.retries, 1);
  assert.equal(line.how, "completed");
  await up.control(victim, "start");
  await up.untilReady(2);
});

test("failures: engines killed while idle give 503, and everything returns", async () => {
  await up.control("gpt-oss-20b-0", "kill");
  await up.control("gpt-oss-20b-1", "kill");
  const first = await post({ prompt: "Is anybody there?", max_tokens: 1 });
  // The first request finds both dead by trying them; from then on nobody is ready.
  assert.ok(first.status === 502 || first.status === 503, `status ${first.status}`);
  await first.arrayBuffer();
  await up.until(async () => {
    const answer = await post({ prompt: "Is anybody there?", max_tokens: 1 });
    const { error } = (await answer.json()) as { error: { type: string } };
    return (
      answer.status === 503 && error.type === "no_endpoints" && answer.headers.has("retry-after")
    );
  });
  assert.equal((await fetch(`${up.adminUrl}/readyz`)).status, 503);
  await up.control("gpt-oss-20b-0", "start");
  await up.control("gpt-oss-20b-1", "start");
  await up.untilReady(2);
  const answer = await post({ prompt: "And now?", max_tokens: 1 });
  assert.equal(answer.status, 200);
  await answer.arrayBuffer();
});

test("failures: a client that leaves frees the engine, and in-flight counts return to zero", async () => {
  const leaving = new AbortController();
  const response = await fetch(`${up.url}/v1/completions`, {
    method: "POST",
    headers: { "x-request-id": "leaver" },
    body: JSON.stringify({
      model: GPT,
      prompt: "I leave early",
      max_tokens: 100_000,
      ignore_eos: true,
      stream: true,
    }),
    signal: leaving.signal,
  });
  await response.body?.getReader().read();
  leaving.abort();
  const line = await lineOf("leaver");
  assert.equal(line.status, 499);
  assert.equal(line.how, "client-left");
  await up.until(async () => {
    const endpoints =
      await up.admin<
        readonly { attributes: { inFlightRequests: number; runningRequests: number } }[]
      >("/api/endpoints");
    return endpoints.every(
      ({ attributes }) => attributes.inFlightRequests === 0 && attributes.runningRequests === 0,
    );
  });
});

test("failures: an unknown engine cannot be killed, and no page may try", async () => {
  const unknown = await fetch(`${up.adminUrl}/api/endpoints/nobody/kill`, { method: "POST" });
  assert.equal(unknown.status, 404);
  const page = await fetch(`${up.adminUrl}/api/endpoints/gpt-oss-20b-0/kill`, {
    method: "POST",
    headers: { origin: "http://example.invalid" },
  });
  assert.equal(page.status, 403);
});
