import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../../test/fixtures/eventually.ts";
import { HttpEndpoint, keepingLog, storeOf } from "../../test/fixtures/http-endpoint.ts";
import type { EndpointStore } from "../endpoints/endpoint-store.ts";
import { EndpointClients } from "./endpoint-clients.ts";
import { type HealthProbe, startHealthProbe } from "./health-probe.ts";

const OK = { status: 200, body: "" };
const DOWN = { status: 503, body: "" };

test("health-probe: an endpoint becomes ready by its first 200 and only then", async () => {
  await using engine = await HttpEndpoint.start(() => DOWN);
  const store = storeOf([engine.address]);
  const { verdicts, probe } = probing(store);
  await eventually(() => engine.paths.length >= 4);
  assert.deepEqual(verdicts, [], "an endpoint that was never ready needs no ejection");
  engine.answering = () => OK;
  await eventually(() => store.isReady(0));
  await probe.close();
  assert.deepEqual(verdicts, ["0 true"]);
  assert.ok(engine.paths.every((path) => path === "/health"));
});

test("health-probe: two failures in a row are forgiven, three are not", async () => {
  const answers = [OK, DOWN, DOWN, OK, DOWN, DOWN, DOWN, OK];
  let count = 0;
  const seen: string[] = [];
  await using engine = await HttpEndpoint.start(() => {
    seen.push(`${count} ${store.isReady(0)}`);
    return answers[count++] ?? OK;
  });
  const store = storeOf([engine.address]);
  const { verdicts, log, probe } = probing(store);
  await eventually(() => seen.length >= 9);
  await probe.close();
  assert.deepEqual(seen.slice(0, 9), [
    "0 false",
    "1 true",
    "2 true",
    "3 true",
    "4 true",
    "5 true",
    "6 true",
    "7 false",
    "8 true",
  ]);
  assert.deepEqual(verdicts, ["0 true", "0 false", "0 true"]);
  const cycle = ["health-failed e0", "health-recovered e0"];
  assert.deepEqual(log.events, [...cycle, ...cycle]);
});

test("health-probe: what dispatch took out comes back by the next good probe", async () => {
  await using engine = await HttpEndpoint.start(() => OK);
  const store = storeOf([engine.address]);
  const { verdicts, probe } = probing(store);
  await eventually(() => store.isReady(0));
  store.setReady(0, false);
  await eventually(() => store.isReady(0));
  await probe.close();
  assert.deepEqual(verdicts, ["0 true", "0 true"]);
});

for (const [name, address] of [
  ["nobody listens", () => "127.0.0.1:1"],
  ["nothing is answered", (engine: HttpEndpoint) => engine.address],
] as const) {
  test(`health-probe: ready no more when ${name}`, async () => {
    await using engine = await HttpEndpoint.start(() => undefined);
    const store = storeOf([address(engine)]);
    store.setReady(0, true);
    const { verdicts, probe } = probing(store);
    await eventually(() => !store.isReady(0));
    await probe.close();
    assert.deepEqual(verdicts, ["0 false"]);
  });
}

function probing(store: EndpointStore): {
  readonly verdicts: string[];
  readonly log: ReturnType<typeof keepingLog>;
  readonly probe: HealthProbe;
} {
  const verdicts: string[] = [];
  const log = keepingLog();
  const probe = startHealthProbe({
    core: {
      health(slot, isReady) {
        verdicts.push(`${slot} ${isReady}`);
        store.setReady(slot, isReady);
      },
    },
    table: store,
    timeScale: 100,
    clients: new EndpointClients(100),
    clock: { nowMs: () => 0 },
    log,
  });
  return { verdicts, log, probe };
}
