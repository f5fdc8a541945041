import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../../test/fixtures/eventually.ts";
import { HttpEndpoint, keepingLog, storeOf } from "../../test/fixtures/http-endpoint.ts";
import { endpointId } from "../core/brand.ts";
import type { EndpointTable } from "../endpoints/endpoint-table.ts";
import { EndpointClients } from "./endpoint-clients.ts";
import { type ServedModels, startServedModels } from "./served-models.ts";

test("served-models: the models of all endpoints once they are ready, until they are gone", async () => {
  await using one = await HttpEndpoint.start(() => listOf(["a", "b"]));
  await using two = await HttpEndpoint.start(() => listOf(["b", "c"]));
  const store = storeOf([one.address, two.address]);
  const { models } = watching(store);
  store.setReady(0, true);
  await eventually(() => models.ids().size === 2);
  assert.deepEqual([one.paths[0], two.paths.length], ["/v1/models", 0]);
  store.setReady(1, true);
  await eventually(() => models.ids().size === 3);
  store.setReady(0, false);
  store.apply({ kind: "removed", id: endpointId("e1") });
  await eventually(() => models.ids().size === 2);
  assert.deepEqual([...models.ids()], ["a", "b"], "an outage does not unname a model");
  await models.close();
});

test("served-models: the number and length of ids are bounded", async () => {
  const ids = [
    "",
    "x".repeat(257),
    "y".repeat(256),
    ...Array.from({ length: 1100 }, (_, i) => `m${i}`),
  ];
  await using engine = await HttpEndpoint.start(() => listOf(ids));
  const store = storeOf([engine.address]);
  store.setReady(0, true);
  const { models } = watching(store);
  await eventually(() => models.ids().size > 0);
  assert.equal(models.ids().size, 1000);
  assert.ok(models.ids().has("y".repeat(256)) && !models.ids().has("x".repeat(257)));
  await models.close();
});

for (const [name, body] of [
  ["not JSON", "<html>"],
  ["another shape", '{"data":{"id":"a"}}'],
  ["null", "null"],
] as const) {
  test(`served-models: ${name} is a failure that is asked about again soon`, async () => {
    await using engine = await HttpEndpoint.start(() => ({ status: 200, body }));
    const store = storeOf([engine.address]);
    store.setReady(0, true);
    const { models, log } = watching(store);
    await eventually(() => engine.paths.length >= 3);
    engine.answering = () => listOf(["a"]);
    await eventually(() => models.ids().has("a"));
    await models.close();
    assert.deepEqual(log.events, ["models-failed e0", "models-recovered e0"]);
  });
}

test("served-models: entries without an id are passed over", async () => {
  const body = JSON.stringify({ data: [{ id: 1 }, null, "x", { id: "a" }] });
  await using engine = await HttpEndpoint.start(() => ({ status: 200, body }));
  const store = storeOf([engine.address]);
  store.setReady(0, true);
  const { models } = watching(store);
  await eventually(() => models.ids().size > 0);
  assert.deepEqual([...models.ids()], ["a"]);
  await models.close();
});

function listOf(ids: readonly string[]): { status: number; body: string } {
  const data = ids.map((id) => ({ id, object: "model", created: 1, owned_by: "vllm" }));
  return { status: 200, body: JSON.stringify({ object: "list", data }) };
}

function watching(table: EndpointTable): {
  readonly models: ServedModels;
  readonly log: ReturnType<typeof keepingLog>;
} {
  const log = keepingLog();
  return {
    log,
    models: startServedModels({ table, timeScale: 100, clients: new EndpointClients(5000), log }),
  };
}
