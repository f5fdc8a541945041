import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Publisher, Subscriber } from "zeromq";
import { fillEngineConfig } from "../../src/engine/engine-config.ts";
import { findGpu } from "../../src/engine/gpus.ts";
import { findModel } from "../../src/engine/models.ts";
import type { KvEventEncoding } from "../../src/engine-server/kv-event-encoding.ts";
import { scaledClock } from "../../src/engine-server/scaled-clock.ts";
import {
  type EngineServer,
  startEngineServer,
} from "../../src/engine-server/start-engine-server.ts";
import { blockHasher } from "../fixtures/block-hasher.ts";
import { freePorts } from "../fixtures/free-ports.ts";
import { endpointsText, RunningEpp } from "../fixtures/running-epp.ts";
import { RunningServe } from "../fixtures/running-serve.ts";

const folder = mkdtempSync(join(tmpdir(), "switchyard-kv-events-"));
after(() => rmSync(folder, { recursive: true }));

const MODEL = "Qwen/Qwen3-0.6B";
const TIME_SCALE = 1000;
const BLOCK_TOKENS = 16;

/** Blocks of an engine: what eight of the test's prompts need. */
const BLOCK_COUNT = 8 * 41;

const CONFIG = `
apiVersion: inference.networking.x-k8s.io/v1alpha1
kind: EndpointPickerConfig
plugins:
- type: kv-cache-scorer
  parameters: { mode: match }
- type: max-score-picker
- type: single-profile-handler
schedulingProfiles:
- name: default
  plugins:
  - { pluginRef: kv-cache-scorer, weight: 1 }
  - pluginRef: max-score-picker
`;

/** 40 blocks of text that no other letter's prompt begins with. */
const promptOf = (letter: string): string => letter.repeat(40 * BLOCK_TOKENS * 4);

interface KvEngine {
  readonly server: EngineServer;
  /** Number of the last message that was published, -1 before the first. */
  readonly published: () => number;
  readonly ask: (letter: string) => Promise<void>;
}

async function startEngine(
  t: TestContext,
  ports: { readonly events: number; readonly replay: number },
  options: { encoding?: KvEventEncoding; isHashInt?: boolean; topic?: string } = {},
): Promise<KvEngine> {
  const model = findModel(MODEL);
  const gpu = findGpu("H100");
  assert.ok(model !== undefined && gpu !== undefined);
  let last = -1;
  const config = fillEngineConfig({ model, gpu, maxModelLen: 4096, isKvEventsEnabled: true });
  const server = await startEngineServer({
    name: "engine",
    host: "127.0.0.1",
    port: 0,
    modelName: MODEL,
    config: { ...config, blockCount: BLOCK_COUNT },
    clock: scaledClock(TIME_SCALE),
    timeScale: TIME_SCALE,
    seed: 1,
    link: { kind: "rdma" },
    isKvConnectorEnabled: false,
    hasher: blockHasher,
    onKvEvents: ({ sequence }) => {
      last = sequence;
    },
    kvEventSocket: {
      endpoint: `tcp://*:${ports.events}`,
      replayEndpoint: `tcp://*:${ports.replay}`,
      bufferSteps: 1000,
      hwm: 1000,
      topic: options.topic ?? "",
      encoding: options.encoding ?? "map",
      isHashInt: options.isHashInt ?? true,
    },
  });
  t.after(() => server.close());
  const ask = (letter: string): Promise<void> => complete(`http://${server.address}`, letter);
  return { server, published: () => last, ask };
}

async function complete(url: string, letter: string): Promise<void> {
  const response = await fetch(`${url}/v1/completions`, {
    method: "POST",
    body: JSON.stringify({ model: MODEL, prompt: promptOf(letter), max_tokens: 1 }),
  });
  await response.text();
  assert.equal(response.status, 200);
}

interface EndpointRow {
  readonly name: string;
  readonly isReady: boolean;
  readonly kvEvents: {
    readonly isConnected: boolean;
    readonly lastSequence: number | null;
    readonly messageCount: number;
    readonly gapCount: number;
    readonly resyncCount: number;
    readonly faultCount: number;
  } | null;
}

/** The router in front of the engines, which are named as ranks of one pod. */
class Router {
  readonly serve: RunningServe;

  constructor(serve: RunningServe) {
    this.serve = serve;
  }

  static async start(
    t: TestContext,
    engines: readonly KvEngine[],
    flags: readonly string[],
  ): Promise<Router> {
    const name = `pool-${Math.random()}`;
    const endpoints = engines.map(({ server }, rank) => ({
      name: `e-rank-${rank}`,
      address: server.address,
    }));
    writeFileSync(join(folder, `${name}.json`), endpointsText(endpoints));
    writeFileSync(join(folder, "config.yaml"), CONFIG);
    const serve = await RunningServe.start([
      ...["--config", join(folder, "config.yaml")],
      ...["--endpoints", join(folder, `${name}.json`), "--model", MODEL],
      ...flags,
    ]);
    t.after(() => serve[Symbol.asyncDispose]());
    const router = new Router(serve);
    await router.until((rows) => rows.every((row) => row.isReady && row.kvEvents?.isConnected));
    return router;
  }

  async rows(): Promise<readonly EndpointRow[]> {
    return await this.serve.admin<readonly EndpointRow[]>("/api/endpoints");
  }

  async until(isTrue: (rows: readonly EndpointRow[]) => boolean | undefined): Promise<void> {
    while (!isTrue(await this.rows())) await sleep(10);
  }

  /** Waits until the router has applied what an engine has published. */
  async caughtUp(engine: KvEngine, rank: number): Promise<void> {
    let seen = -1;
    // The engine gathers events for a millisecond of its time.
    while (seen !== engine.published() || seen === -1) {
      await this.until((rows) => rows[rank]?.kvEvents?.lastSequence === engine.published());
      seen = engine.published();
      await sleep(5);
    }
  }

  /** Share of the prompt that each endpoint was scored with, by the router's own decision. */
  async matches(letter: string): Promise<readonly number[]> {
    const response = await fetch(`${this.serve.url}/v1/completions`, {
      method: "POST",
      body: JSON.stringify({ model: MODEL, prompt: promptOf(letter), max_tokens: 1 }),
    });
    await response.text();
    const id = response.headers.get("x-switchyard-decision");
    const { profiles } = await this.serve.admin<{
      profiles: readonly {
        candidates: readonly { endpoint: string; scores: readonly { raw: number }[] }[];
      }[];
    }>(`/api/decisions/${id}`);
    return (profiles[0]?.candidates ?? [])
      .toSorted((left, right) => left.endpoint.localeCompare(right.endpoint))
      .map(({ scores }) => scores[0]?.raw ?? Number.NaN);
  }
}

for (const [encoding, isHashInt] of [
  ["map", false],
  ["array", true],
] as const) {
  test(`kv-events: the router matches what engines report in ${encoding}s`, async (t) => {
    const [first = 0, second = 0, ...replay] = await freePorts(4);
    const engines = await Promise.all(
      [first, second].map((events, rank) =>
        startEngine(
          t,
          { events, replay: replay[rank] ?? 0 },
          { encoding, isHashInt, topic: "kv@" },
        ),
      ),
    );
    const [one, two] = engines as [KvEngine, KvEngine];
    const flags = ["--kv-events-port", `${first}`, "--kv-events-topic", "kv@"];
    const router = await Router.start(t, engines, flags);
    await one.ask("a");
    await two.ask("b");
    await router.caughtUp(one, 0);
    await router.caughtUp(two, 1);
    assert.deepEqual(await router.matches("a"), [1, 0]);
    assert.deepEqual(await router.matches("b"), [0, 1]);
    // Nine more prompts take the place of the oldest one's blocks.
    for (const letter of "cdefghijk") await one.ask(letter);
    await router.caughtUp(one, 0);
    assert.equal((await router.matches("a"))[0], 0, "evicted blocks are gone from the index");
    const [row] = await router.rows();
    assert.equal(row?.kvEvents?.messageCount, (row?.kvEvents?.lastSequence ?? -2) + 1);
    assert.equal(row?.kvEvents?.gapCount, 0);
    assert.equal(row?.kvEvents?.faultCount, 0);
  });
}

test("kv-events: a router that starts late asks for what it missed", async (t) => {
  const [events = 0, replay = 0] = await freePorts(2);
  const engine = await startEngine(t, { events, replay });
  for (const letter of "abc") await engine.ask(letter);
  const flags = ["--kv-events-port", `${events}`, "--kv-events-replay-port", `${replay}`];
  const router = await Router.start(t, [engine], flags);
  await router.caughtUp(engine, 0);
  assert.deepEqual(await router.matches("a"), [1]);
});

for (const isReplaying of [true, false]) {
  const how = isReplaying ? "with replay" : "without replay";
  test(`kv-events: a restarted engine holds nothing, ${how}`, async (t) => {
    const [events = 0, replay = 0] = await freePorts(2);
    const engine = await startEngine(t, { events, replay });
    const replayFlags = isReplaying ? ["--kv-events-replay-port", `${replay}`] : [];
    const router = await Router.start(
      t,
      [engine],
      [...["--kv-events-port", `${events}`], ...replayFlags],
    );
    for (const letter of "abc") await engine.ask(letter);
    await router.caughtUp(engine, 0);
    assert.deepEqual(await router.matches("a"), [1]);
    await engine.server.kill();
    await router.until(([row]) => row?.kvEvents?.isConnected === false);
    await engine.server.restart();
    await router.until(([row]) => row?.kvEvents?.isConnected && row.isReady);
    await engine.ask("z");
    await router.until(([row]) => row?.kvEvents?.resyncCount === 1);
    await router.caughtUp(engine, 0);
    assert.deepEqual(await router.matches("z"), [1]);
    assert.deepEqual(await router.matches("b"), [0]);
  });
}

/** Passes an engine's messages on except those whose number is dropped. */
async function lossyProxy(
  t: TestContext,
  ports: { from: number; to: number },
  isDropped: (sequence: number) => boolean,
): Promise<void> {
  const input = new Subscriber({ linger: 0 });
  const output = new Publisher({ linger: 0 });
  input.subscribe();
  input.connect(`tcp://127.0.0.1:${ports.from}`);
  await output.bind(`tcp://127.0.0.1:${ports.to}`);
  const passing = (async () => {
    for await (const frames of input) {
      const sequence = frames[1]?.readBigUInt64BE() ?? 0n;
      if (!isDropped(Number(sequence))) await output.send(frames);
    }
  })();
  t.after(async () => {
    input.close();
    output.close();
    await passing;
  });
}

for (const isReplaying of [true, false]) {
  const what = isReplaying ? "is closed by replay" : "without replay means to start over";
  test(`kv-events: a gap ${what}`, async (t) => {
    const [events = 0, replay = 0, proxied = 0] = await freePorts(3);
    const engine = await startEngine(t, { events, replay });
    let dropped = 0;
    await lossyProxy(t, { from: events, to: proxied }, () => dropped-- > 0);
    const router = await Router.start(
      t,
      [engine],
      [
        ...["--kv-events-port", `${proxied}`],
        ...(isReplaying ? ["--kv-events-replay-port", `${replay}`] : []),
      ],
    );
    await engine.ask("a");
    await router.caughtUp(engine, 0);
    dropped = 1;
    const before = engine.published();
    await engine.ask("b");
    while (engine.published() === before) await sleep(2);
    // Whatever was dropped is missed once the next message comes.
    await engine.ask("c");
    await router.caughtUp(engine, 0);
    const [row] = await router.rows();
    assert.equal(row?.kvEvents?.gapCount, 1);
    assert.equal(row?.kvEvents?.resyncCount, isReplaying ? 0 : 1);
    assert.deepEqual(await router.matches("a"), [isReplaying ? 1 : 0]);
    assert.deepEqual(await router.matches("c"), [1]);
    const metrics = await (await fetch(`${router.serve.adminUrl}/metrics`)).text();
    const result = isReplaying ? "replayed" : "lost";
    assert.match(metrics, new RegExp(`kv_events_gaps_total{name="pool",result="${result}"} 1`));
  });
}

test("kv-events: epp reads them where its configuration names the ports", async (t) => {
  const [events = 0, replay = 0] = await freePorts(2);
  const engine = await startEngine(t, { events, replay });
  for (const letter of "abc") await engine.ask(letter);
  const discovery = `{ socketPort: ${events}, replaySocketPort: ${replay} }`;
  const producer = `- type: precise-prefix-cache-producer
  parameters: { kvEventsConfig: { podDiscoveryConfig: ${discovery} } }
`;
  const config = CONFIG.replace("schedulingProfiles:", `${producer}schedulingProfiles:`);
  writeFileSync(
    join(folder, "epp.json"),
    endpointsText([{ name: "gpu-0", address: engine.server.address }]),
  );
  const epp = await RunningEpp.start([
    ...["--config-text", config, "--endpoints", join(folder, "epp.json")],
    "--secure-serving=false",
  ]);
  t.after(() => epp[Symbol.asyncDispose]());
  const sequence = async (): Promise<number | null | undefined> =>
    (await epp.admin<readonly EndpointRow[]>("/api/endpoints"))[0]?.kvEvents?.lastSequence;
  while ((await sequence()) !== engine.published()) await sleep(10);
});

test("kv-events: ports without the events' own are refused before anything runs", async () => {
  writeFileSync(join(folder, "none.json"), endpointsText([]));
  writeFileSync(join(folder, "config.yaml"), CONFIG);
  await assert.rejects(
    RunningServe.start([
      ...["--config", join(folder, "config.yaml"), "--endpoints", join(folder, "none.json")],
      ...["--kv-events-replay-port", "5558"],
    ]),
    /serve ended with 2: switchyard: --kv-events-port: is needed as well/,
  );
});
