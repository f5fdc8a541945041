import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import OpenAI, { BadRequestError, NotFoundError } from "openai";
import { EXAMPLES, RunningUp } from "../fixtures/running-up.ts";

const GPT = "openai/gpt-oss-20b";
const QWEN = "Qwen/Qwen3-0.6B";

interface Candidate {
  readonly endpoint: string;
  readonly rank: number | null;
  readonly scores: readonly { raw: number; weighted: number }[];
  readonly metrics: {
    readonly waitingQueueDepth: number | null;
    readonly scrapedWaitingQueueDepth: number | null;
  };
}
interface DecisionView {
  readonly id: string;
  readonly state: string;
  readonly endpoint: string;
  readonly prefillEndpoint: string | null;
  readonly profiles: readonly {
    profile: string;
    picked: string;
    candidates: readonly Candidate[];
  }[];
  readonly outcome: {
    readonly status: number;
    readonly ttftMs: number;
    readonly pd: { outcome: string; kvMs: number; kvBytes: number; prefillMs: number } | undefined;
  };
}

let up: RunningUp;
let client: OpenAI;

before(async () => {
  up = await RunningUp.start([...EXAMPLES, "--time-scale", "10"]);
  client = clientFor(`${up.url}/v1`);
});
after(() => up.stop());

function clientFor(baseURL: string): OpenAI {
  return new OpenAI({ baseURL, apiKey: "none", maxRetries: 0 });
}

function chat(model: string, content: string) {
  return { model, messages: [{ role: "user" as const, content }], max_tokens: 16 };
}

for (const model of [GPT, QWEN]) {
  test(`main job: ${model} answers plain and streamed with the same text`, async () => {
    const question = chat(model, `What runs on ${model}?`);
    const plain = await client.chat.completions.create(question);
    const text = plain.choices[0]?.message.content ?? "";
    assert.equal(plain.model, model);
    assert.equal(plain.usage?.completion_tokens, 16);
    assert.match(text, /^[A-Z][a-z]+ /);
    const stream = await client.chat.completions.create({
      ...question,
      stream: true,
      stream_options: { include_usage: true },
    });
    let streamed = "";
    let completionTokens: number | undefined;
    for await (const chunk of stream) {
      streamed += chunk.choices[0]?.delta.content ?? "";
      completionTokens = chunk.usage?.completion_tokens ?? completionTokens;
    }
    assert.equal(streamed, text);
    assert.equal(completionTokens, 16);
  });

  test(`main job: ${model} completes a text, an array of texts and an array of token ids`, async () => {
    for (const prompt of ["Once upon a time", ["one", "two"], [1, 2, 3, 4]]) {
      const answer = await client.completions.create({ model, prompt, max_tokens: 4 });
      const isList = Array.isArray(prompt) && typeof prompt[0] === "string";
      assert.equal(answer.choices.length, isList ? 2 : 1);
    }
  });
}

test("main job: lists both models, and one of a service's own address", async () => {
  const all = (await client.models.list()).data.map((model) => model.id);
  assert.deepEqual(all.toSorted(), [QWEN, GPT].toSorted());
  const own = await clientFor(`${up.url}/demo-llm/gpt-oss-20b/v1`).models.list();
  assert.deepEqual(
    own.data.map((model) => model.id),
    [GPT],
  );
});

test("main job: a service answers at its own address, and only for its own model", async () => {
  const own = clientFor(`${up.url}/default/qwen-pd/v1`);
  const answer = await own.chat.completions.create(chat(QWEN, "By the long way"));
  assert.equal(answer.model, QWEN);
  await assert.rejects(own.chat.completions.create(chat(GPT, "Not here")), NotFoundError);
});

test("main job: an unknown model and a malformed request give typed errors", async () => {
  await assert.rejects(client.chat.completions.create(chat("no-such-model", "Hi")), (error) => {
    assert.ok(error instanceof NotFoundError);
    assert.equal(error.code, "model_not_found");
    assert.equal(error.type, "invalid_request_error");
    return true;
  });
  await assert.rejects(
    client.chat.completions.create({ model: GPT, messages: [] }),
    (error) => error instanceof BadRequestError && /messages is empty/.test(error.message),
  );
  const response = await fetch(`${up.url}/v1/chat/completions`, { method: "POST", body: "{oops" });
  assert.equal(response.status, 400);
  const { error } = (await response.json()) as { error: { type: string; message: string } };
  assert.equal(error.type, "invalid_request_error");
});

test("main job: one prefix sent ten times stays on one endpoint and its cached tokens rise", async () => {
  const prefix = "The history of the railway switchyard is long. ".repeat(60);
  const endpoints = new Set<string>();
  const cached: number[] = [];
  let decisionId = "";
  for (let turn = 0; turn < 10; turn++) {
    const { data, response } = await client.chat.completions
      .create(chat(GPT, `${prefix} Question ${turn}?`))
      .withResponse();
    endpoints.add(response.headers.get("x-switchyard-endpoint") ?? "none");
    decisionId = response.headers.get("x-switchyard-decision") ?? "none";
    cached.push(data.usage?.prompt_tokens_details?.cached_tokens ?? -1);
  }
  assert.equal(endpoints.size, 1);
  assert.equal(cached[0], 0);
  for (const tokens of cached.slice(1)) assert.ok(tokens > 500, `cached ${tokens}`);
  const decision = await up.admin<DecisionView>(`/api/decisions/${decisionId}`);
  const [profile] = decision.profiles;
  const winner = profile?.candidates.find((candidate) => candidate.rank === 1);
  assert.equal(winner?.endpoint, [...endpoints][0]);
  assert.ok((winner?.scores[0]?.raw ?? 0) > 0.9, "the prefix scorer saw the match");
  const others = profile?.candidates.filter((candidate) => candidate !== winner) ?? [];
  assert.equal(others.length, 3);
  for (const other of others) assert.ok((other.scores[0]?.raw ?? 1) < 0.1);
});

test("main job: sixty-four unrelated prompts at once spread over the four endpoints", async () => {
  const counts = new Map<string, number>();
  await Promise.all(
    Array.from({ length: 64 }, async (_, index) => {
      const words = Array.from({ length: 40 }, (__, word) => `w${index * 977 + word * 31}`);
      const { response } = await client.chat.completions
        .create(chat(GPT, words.join(" ")))
        .withResponse();
      const endpoint = response.headers.get("x-switchyard-endpoint") ?? "none";
      counts.set(endpoint, (counts.get(endpoint) ?? 0) + 1);
    }),
  );
  assert.equal(counts.size, 4);
  for (const [endpoint, count] of counts) assert.ok(count <= 38, `${endpoint} took ${count} of 64`);
});

test("main job: every qwen-pd request runs prefill and decode on different endpoints", async () => {
  for (let turn = 0; turn < 4; turn++) {
    const { response } = await client.chat.completions
      .create(chat(QWEN, `Split this ${turn} ${"word ".repeat(200)}`))
      .withResponse();
    const decode = response.headers.get("x-switchyard-endpoint");
    const prefill = response.headers.get("x-switchyard-prefill-endpoint");
    assert.match(decode ?? "", /^qwen-pd-decode-\d$/);
    assert.match(prefill ?? "", /^qwen-pd-prefill-\d$/);
    const id = response.headers.get("x-switchyard-decision");
    await up.until(
      async () => (await up.admin<DecisionView>(`/api/decisions/${id}`)).state === "closed",
    );
    const decision = await up.admin<DecisionView>(`/api/decisions/${id}`);
    assert.deepEqual(
      decision.profiles.map(({ profile }) => profile),
      ["decode", "prefill"],
    );
    const { pd } = decision.outcome;
    assert.equal(pd?.outcome, "remote");
    assert.ok((pd?.kvBytes ?? 0) > 1_000_000);
    assert.ok((pd?.kvMs ?? 0) >= 1 && (pd?.kvMs ?? 1000) < 50, `RDMA took ${pd?.kvMs} ms`);
  }
});

test("main job: X-Prefill chooses one stage, and a client's routing headers are removed", async () => {
  const ask = async (headers: Record<string, string>): Promise<Headers> => {
    const { response } = await client.chat.completions
      .create(chat(QWEN, "Which stage?"), { headers })
      .withResponse();
    return response.headers;
  };
  const prefill = await ask({ "x-prefill": "true" });
  assert.match(prefill.get("x-switchyard-endpoint") ?? "", /prefill/);
  assert.equal(prefill.get("x-switchyard-prefill-endpoint"), null);
  const decode = await ask({ "x-prefill": "false" });
  assert.match(decode.get("x-switchyard-endpoint") ?? "", /decode/);
  assert.equal(decode.get("x-switchyard-prefill-endpoint"), null);
  const steered = await ask({ "x-prefiller-host-port": "127.0.0.1:1", "x-prefill": "false" });
  assert.match(steered.get("x-switchyard-endpoint") ?? "", /decode/);
  await assert.rejects(ask({ "x-prefill": "perhaps" }), BadRequestError);
});

test("main job: the admin API shows endpoints, configuration, metrics and readiness", async () => {
  const endpoints = await up.admin<readonly { name: string; isReady: boolean }[]>("/api/endpoints");
  assert.equal(endpoints.length, 8);
  assert.ok(endpoints.every((endpoint) => endpoint.isReady));
  const ready = await fetch(`${up.adminUrl}/readyz`);
  assert.equal(ready.status, 200);
  const metrics = await (await fetch(`${up.adminUrl}/metrics`)).text();
  assert.match(metrics, /^llm_d_epp_request_total\{[^}]*model_name="openai\/gpt-oss-20b"/m);
  assert.match(metrics, /^llm_d_epp_pd_decision_total\{[^}]*decision_type="prefill-decode"/m);
  const config = await up.admin<{ pools: readonly { pool: string }[] }>("/api/config");
  assert.deepEqual(
    config.pools.map(({ pool }) => pool),
    ["gpt-oss-20b", "qwen-pd"],
  );
  const wrong = await fetch(`${up.adminUrl}/api/decisions?limit=none`);
  assert.equal(wrong.status, 400);
});

test("main job: the access log has one JSON line a request and no prompt text", async () => {
  const secret = "a-word-that-must-not-be-logged";
  const { response } = await client.chat.completions.create(chat(GPT, secret)).withResponse();
  const id = response.headers.get("x-request-id") ?? "none";
  await up.until(async () => up.lines.some((line) => line.includes(id)));
  const own = up.lines.filter((line) => line.includes(id));
  assert.equal(own.length, 1);
  const line = JSON.parse(own[0] ?? "{}") as Record<string, unknown>;
  assert.equal(line["status"], 200);
  assert.equal(line["model"], GPT);
  assert.ok(up.lines.every((text) => !text.includes(secret)));
});
