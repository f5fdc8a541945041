import assert from "node:assert/strict";
import test from "node:test";
import { invariant } from "../core/invariant.ts";
import { kvBytes, LINKS, Nic, transferUs } from "./kv-transfer.ts";
import { findModel } from "./models.ts";

function bytesOf(name: string, tokens: number): number {
  const model = findModel(name);
  invariant(model !== undefined, name);
  return kvBytes(model, tokens);
}

// 8k tokens of Qwen3-32B: 43 ms on 400 Gbit/s InfiniBand, 3.9 s on UCX over TCP.
const rows = [
  { link: LINKS.rdma, ms: 43 },
  { link: LINKS.tcp, ms: 3900 },
];
for (const { link, ms } of rows) {
  test(`kv transfer: 2.15 GB take about ${ms} ms`, () => {
    const actual = transferUs(link, bytesOf("Qwen3-32B", 8192)) / 1000;
    assert.ok(Math.abs(actual / ms - 1) <= 0.06, `${actual}`);
  });
}

test("kv transfer: bytes are those of the model", () => {
  assert.equal(bytesOf("Llama-3.1-8B", 1), 131_072);
  assert.equal(bytesOf("Qwen3-0.6B", 10), 1_146_880);
});

test("kv transfer: a sliding layer sends no more than its window", () => {
  assert.equal(bytesOf("gpt-oss-20b", 100), 100 * 49_152);
  assert.equal(bytesOf("gpt-oss-20b", 5000), 5000 * 24_576 + 128 * 24_576);
});

test("nic: transfers wait for one another and an idle card starts at once", () => {
  const nic = new Nic();
  assert.equal(nic.reserve(1000, 50), 1000);
  assert.equal(nic.reserve(1010, 50), 1050);
  assert.equal(nic.busyUntilUs, 1100);
  assert.equal(nic.reserve(2000, 1), 2000);
});
