import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { startEpp } from "../../src/app/epp.ts";
import { parseEppFlags } from "../../src/app/epp-flags.ts";
import { FileFeed, openEndpointsFile } from "../../src/app/file-feed.ts";
import { DEFAULT_ROUTER_OPTIONS } from "../../src/app/router-options.ts";
import { startServe } from "../../src/app/serve.ts";
import type { Router } from "../../src/app/start-router.ts";
import { endpointId } from "../../src/core/brand.ts";
import { noLog } from "../../src/core/log.ts";
import { fillEngineConfig } from "../../src/engine/engine-config.ts";
import { findGpu } from "../../src/engine/gpus.ts";
import { findModel } from "../../src/engine/models.ts";
import { scaledClock } from "../../src/engine-server/scaled-clock.ts";
import {
  type EngineServer,
  startEngineServer,
} from "../../src/engine-server/start-engine-server.ts";
import type { Decision } from "../../src/scheduling/decision.ts";
import { blockHasher } from "../fixtures/block-hasher.ts";
import { eventually } from "../fixtures/eventually.ts";
import { ExtProcClient, setHeadersOf } from "../fixtures/extproc-client.ts";
import { ASKED } from "../fixtures/extproc-under-test.ts";
import { configFrom } from "../fixtures/recorded-run.ts";
import { endpointsText } from "../fixtures/running-epp.ts";

const POOL = "pool";
const MODEL = "Qwen/Qwen3-0.6B";
const ENGINES = 4;
const BURST = 200;
/** Few enough that one long prompt pushes another out. */
const ENGINE_BLOCKS = 260;
const LONG = "You are the librarian of a small town and answer every question. ".repeat(60);
const OTHER = "Quite another text that fills the whole cache of an engine by itself. ".repeat(220);

const CONFIGS: readonly [name: string, text: string][] = [
  [
    "kv-cache-scorer in match mode",
    `apiVersion: inference.networking.x-k8s.io/v1alpha1
kind: EndpointPickerConfig
plugins:
- {type: kv-cache-scorer, parameters: {mode: match}}
- type: token-producer
  parameters: {estimate: {}}
- type: max-score-picker
- type: single-profile-handler
schedulingProfiles:
- name: default
  plugins: [{pluginRef: kv-cache-scorer, weight: 1}, {pluginRef: max-score-picker}]
`,
  ],
  [
    "precise-prefix-cache-producer",
    `apiVersion: llm-d.ai/v1alpha1
kind: EndpointPickerConfig
plugins:
- type: precise-prefix-cache-producer
- type: token-producer
  parameters: {estimate: {}}
- type: prefix-cache-scorer
- type: max-score-picker
`,
  ],
];

const folder = mkdtempSync(join(tmpdir(), "switchyard-kv-match-"));
after(() => rmSync(folder, { recursive: true }));

function written(text: string): string {
  const file = join(folder, "picker.yaml");
  writeFileSync(file, text);
  return file;
}

/** Engines with their own sockets and caches, whose events the test carries to a router. */
class Engines implements AsyncDisposable {
  readonly servers: readonly EngineServer[];
  router: Router | undefined;
  /** Blocks that engines said they evicted. */
  evictedCount = 0;

  private constructor(servers: readonly EngineServer[]) {
    this.servers = servers;
  }

  static async start(): Promise<Engines> {
    const model = findModel(MODEL);
    const gpu = findGpu("H100");
    assert.ok(model !== undefined && gpu !== undefined);
    const config = fillEngineConfig({
      model,
      gpu,
      maxModelLen: 4096,
      blockCount: ENGINE_BLOCKS,
      isKvEventsEnabled: true,
    });
    const servers: EngineServer[] = [];
    const engines = new Engines(servers);
    for (let index = 0; index < ENGINES; index++) {
      const name = `e${index}`;
      const server = await startEngineServer({
        name,
        host: "127.0.0.1",
        port: 0,
        modelName: MODEL,
        config,
        clock: scaledClock(1000),
        timeScale: 1000,
        seed: 7,
        link: { kind: "rdma" },
        isKvConnectorEnabled: false,
        hasher: blockHasher,
        onKvEvents: ({ events }) => {
          const core = engines.router?.core(POOL);
          const slot = core?.slotOf(endpointId(name));
          if (slot !== undefined) core?.kvEvents(slot, events, performance.now());
          for (const event of events) {
            if (event.kind === "removed") engines.evictedCount += event.blockHashes.length;
          }
        },
      });
      servers.push(server);
    }
    return engines;
  }

  get feed(): FileFeed {
    const endpoints = this.servers.map(({ name, address }) => ({ name, address }));
    const text = endpointsText(endpoints);
    const file = join(folder, "endpoints.json");
    writeFileSync(file, text);
    return new FileFeed(openEndpointsFile({ text, file }), { isResolving: false });
  }

  async serveTo(router: Router): Promise<void> {
    this.router = router;
    const table = router.core(POOL)?.endpoints;
    await eventually(() => this.servers.every((_, slot) => table?.isReady(slot) === true));
    for (let slot = 0; slot < ENGINES; slot++) {
      router.core(POOL)?.kvEvents(slot, [{ kind: "cleared" }], performance.now());
    }
  }

  async ask(address: string, prompt: string): Promise<void> {
    const body = JSON.stringify({ model: MODEL, prompt, max_tokens: 1 });
    const answer = await fetch(`http://${address}/v1/completions`, { method: "POST", body });
    assert.equal(answer.status, 200, await answer.text());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.servers.map((server) => server.close()));
  }
}

async function untilServed(address: string): Promise<void> {
  for (;;) {
    const text = await (await fetch(`http://${address}/v1/models`)).text();
    if (text.includes(MODEL)) return;
    await new Promise((done) => setTimeout(done, 5));
  }
}

function lastDecision(router: Router): Decision {
  const [decision] = router.state(POOL)?.decisions.latest(1) ?? [];
  assert.ok(decision !== undefined);
  return decision;
}

function scoreOf(decision: Decision, endpoint: string): number {
  const [profile] = decision.profiles;
  const fate = profile?.candidates.find((candidate) => candidate.endpoint === endpoint);
  return fate?.scores[0]?.raw ?? Number.NaN;
}

for (const [name, text] of CONFIGS) {
  test(`kv-match: serve: a burst stays together, and an eviction changes the next decision: ${name}`, async () => {
    await using engines = await Engines.start();
    const router = await startServe({
      pool: { namespace: "default", name: POOL },
      config: configFrom(text),
      source: { file: written(text), text, load: configFrom },
      kvEvents: {},
      modelName: undefined,
      feed: engines.feed,
      host: "127.0.0.1",
      port: 0,
      adminHost: "127.0.0.1",
      adminPort: 0,
      seed: 3,
      isCorrectingMetrics: true,
      prefillCandidates: 1,
      options: DEFAULT_ROUTER_OPTIONS,
      log: noLog,
    });
    try {
      await engines.serveTo(router);
      const address = `127.0.0.1:${router.port}`;
      const ask = (prompt: string): Promise<void> => engines.ask(address, prompt);
      await untilServed(address);
      await Promise.all(Array.from({ length: BURST }, () => ask(LONG)));
      const chosen = router.state(POOL)?.decisions.latest(BURST) ?? [];
      const [home, ...strangers] = new Set(chosen.map(({ endpoint }) => endpoint));
      assert.deepEqual(strangers, []);
      assert.equal(scoreOf(lastDecision(router), String(home)), 1);
      // Straight to the engine: the router hears of the eviction from the engine alone.
      const engine = engines.servers.find((server) => server.name === home);
      await engines.ask(engine?.address ?? "", OTHER);
      await eventually(() => engines.evictedCount > 0);
      await ask(LONG);
      assert.ok(scoreOf(lastDecision(router), String(home)) < 1, "what was evicted counts as held");
    } finally {
      await router.drain();
    }
  });

  test(`kv-match: epp: a burst stays together, and an eviction changes the next decision: ${name}`, async () => {
    await using engines = await Engines.start();
    const flags = parseEppFlags([
      "--host=127.0.0.1",
      "--grpc-port=0",
      "--grpc-health-port=0",
      "--metrics-port=0",
      "--secure-serving=false",
      `--pool-name=${POOL}`,
    ]);
    const epp = await startEpp({
      flags,
      namespace: "default",
      config: configFrom(text),
      source: undefined,
      feed: engines.feed,
      election: undefined,
      log: noLog,
    });
    try {
      await engines.serveTo(epp.router);
      await using client = new ExtProcClient(epp.port);
      const body = JSON.stringify({ model: MODEL, prompt: LONG });
      const destinations = await Promise.all(
        Array.from({ length: BURST }, async () => {
          const call = client.open().headers("request", ASKED).body("request", body);
          const set = setHeadersOf(await call.next());
          call.cancel();
          return set["x-gateway-destination-endpoint"];
        }),
      );
      assert.equal(new Set(destinations).size, 1, destinations.join(" "));
      // The proxy sends one of them, its engine reports, and then is cleared of it.
      const [home] = destinations;
      await engines.ask(String(home), LONG);
      await engines.ask(String(home), OTHER);
      await eventually(() => engines.evictedCount > 0);
      const call = client.open().headers("request", ASKED).body("request", body);
      await call.next();
      call.cancel();
      const { router } = epp;
      const server = engines.servers.find(({ address }) => address === home);
      assert.ok(scoreOf(lastDecision(router), String(server?.name)) < 1);
    } finally {
      await epp.drain();
    }
  });
}
