import assert from "node:assert/strict";
import test from "node:test";
import { blockHasher } from "../../test/fixtures/block-hasher.ts";
import { eventually } from "../../test/fixtures/eventually.ts";
import { HttpEndpoint } from "../../test/fixtures/http-endpoint.ts";
import { poolWith } from "../../test/fixtures/pool-core.ts";
import { loadRouterConfig } from "../config/load-router-config.ts";
import { noLog } from "../core/log.ts";
import { noMeter } from "../core/meter.ts";
import { waitingQueueDepth } from "../endpoints/numeric-attribute.ts";
import { ownKeys } from "../request/block-hasher.ts";
import { builtinRegistry } from "./plugin-registry.ts";
import { LivePool } from "./router-pool.ts";

const EXPOSITION = [
  "vllm:num_requests_waiting 3",
  'vllm:lora_requests_info{max_lora="4",running_lora_adapters="sql",waiting_lora_adapters=""} 1',
  "",
].join("\n");

for (const [scorer, want] of [
  ["lora-affinity-scorer", ["sql"]],
  ["queue-scorer", undefined],
] as const) {
  test(`router-pool: with ${scorer} LoRA adapters are ${want === undefined ? "not " : ""}scraped`, async () => {
    await using engine = await HttpEndpoint.start(() => ({ status: 200, body: EXPOSITION }));
    const { core } = poolWith({ endpoints: [{ address: engine.address }] });
    const config = loadRouterConfig({
      file: "config.yaml",
      text: `apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\nplugins: [{type: ${scorer}}]`,
      registry: builtinRegistry(),
    });
    let nowMs = 0;
    const pool = new LivePool({
      spec: {
        key: "default/m",
        namespace: "default",
        name: "m",
        config,
        modelName: "m",
        source: undefined,
        feed: undefined,
      },
      core,
      keys: ownKeys(blockHasher),
      isEstimating: true,
      clock: { nowMs: () => ++nowMs },
      timeScale: 10,
      scrapeIntervalMs: 50,
      probeTimeoutMs: 5000,
      log: noLog,
      meter: noMeter,
      forget: () => undefined,
    });
    await eventually(() => core.endpoints.column(waitingQueueDepth)[0] === 3);
    await pool.close();
    const running = core.endpoints.lora(0)?.running;
    assert.deepEqual(running && [...running], want);
  });
}
