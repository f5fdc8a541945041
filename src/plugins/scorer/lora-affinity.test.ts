import assert from "node:assert/strict";
import test from "node:test";
import { scoresFor } from "../../../test/fixtures/plugin-bench.ts";
import { requestWith } from "../../../test/fixtures/request-with.ts";
import type { LoraState } from "../../endpoints/endpoint-table.ts";
import { loraAffinityScorer } from "./lora-affinity.ts";

const request = requestWith({ model: "sql" });
const state = (adaptersMax: number, running: string[], waiting: string[] = []): LoraState => ({
  adaptersMax,
  running: new Set(running),
  waiting: new Set(waiting),
});

for (const [name, lora, want] of [
  ["running here", state(2, ["sql", "chat"]), 1],
  ["running here, and the engine says that none fit", state(0, ["sql"]), 1],
  ["room for one more", state(2, ["chat"]), 0.8],
  ["room, and waiting already", state(3, ["chat"], ["sql"]), 0.8],
  ["waiting, and full", state(2, ["chat"], ["sql"]), 0.6],
  ["full, and not here", state(2, ["chat", "code"]), 0],
  ["those that wait take room too", state(2, ["chat"], ["code"]), 0],
  ["no adapters at all", state(0, []), 0],
  ["never scraped", undefined, 0.5],
] as const) {
  test(`lora-affinity-scorer: ${name}`, () => {
    const endpoints = [lora === undefined ? {} : { lora }];
    assert.deepEqual(scoresFor(loraAffinityScorer, endpoints, { request }), [want]);
  });
}

test("lora-affinity-scorer: nobody", () => {
  assert.deepEqual(scoresFor(loraAffinityScorer, [], { request }), []);
});

test("lora-affinity-scorer: it has the adapters scraped", () => {
  assert.equal(loraAffinityScorer.consumesLora, true);
});
