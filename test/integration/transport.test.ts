import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { RunningUp } from "../fixtures/running-up.ts";

const MODEL = "Qwen/Qwen3-0.6B";
const PROMPT = "Tell me about switches. ".repeat(200);

interface Pd {
  readonly outcome: string;
  readonly kvMs: number | null;
  readonly kvBytes: number | null;
}

/** The qwen-pd example with some text replaced, as a file of its own. */
function variant(name: string, edits: readonly (readonly [RegExp, string])[]): string {
  let text = readFileSync("examples/qwen-pd.yaml", "utf8");
  for (const [pattern, replacement] of edits) {
    assert.ok(pattern.test(text), `${pattern} is not in the example`);
    text = text.replaceAll(new RegExp(pattern, "g"), replacement);
  }
  const file = join(mkdtempSync(join(tmpdir(), "switchyard-")), `${name}.yaml`);
  writeFileSync(file, text);
  return file;
}

async function ask(up: RunningUp): Promise<{ status: number; pd: Pd | undefined; error: string }> {
  const response = await fetch(`${up.url}/v1/completions`, {
    method: "POST",
    body: JSON.stringify({ model: MODEL, prompt: PROMPT, max_tokens: 4 }),
  });
  const body = (await response.json()) as { error?: { message: string } };
  const id = response.headers.get("x-switchyard-decision");
  await up.until(async () => {
    const { state } = await up.admin<{ state: string }>(`/api/decisions/${id}`);
    return state === "closed";
  });
  const { outcome } = await up.admin<{ outcome: { pd: Pd } }>(`/api/decisions/${id}`);
  return { status: response.status, pd: outcome.pd, error: body.error?.message ?? "" };
}

test("transport: TCP moves the same blocks many times slower than RDMA", async () => {
  const tcpFile = variant("tcp", [
    [/\s+rdma\/roce_gdr: 1/, ""],
    [/"rc,/, '"tcp,'],
  ]);
  await using rdma = await RunningUp.start(["examples/qwen-pd.yaml"]);
  await using tcp = await RunningUp.start([tcpFile]);
  assert.deepEqual(tcp.warnings, []);
  const fast = await ask(rdma);
  const slow = await ask(tcp);
  assert.equal(fast.pd?.outcome, "remote");
  assert.equal(slow.pd?.outcome, "remote");
  assert.equal(slow.pd?.kvBytes, fast.pd?.kvBytes);
  const ratio = (slow.pd?.kvMs ?? 0) / (fast.pd?.kvMs ?? Number.NaN);
  assert.ok(ratio > 20, `TCP took ${ratio} times as long`);
});

test("transport: without a usable transport up warns and the request fails with the reason", async () => {
  const file = variant("none", [[/"rc,/, '"']]);
  await using up = await RunningUp.start([file]);
  assert.equal(up.warnings.length, 1);
  assert.match(up.warnings[0] ?? "", /qwen-pd: KV cache cannot be moved/);
  const answer = await ask(up);
  assert.equal(answer.status, 500);
  assert.match(answer.error, /KV load failed/);
});

test("transport: with kv_load_failure_policy recompute the decode engine computes the prompt", async () => {
  const file = variant("recompute", [
    [/"rc,/, '"'],
    [/"kv_role"/, '"kv_load_failure_policy":"recompute","kv_role"'],
  ]);
  await using up = await RunningUp.start([file]);
  const answer = await ask(up);
  assert.equal(answer.status, 200);
  assert.equal(answer.pd?.kvBytes ?? null, null);
});
