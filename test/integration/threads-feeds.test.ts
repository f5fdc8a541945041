import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { EndpointFeed, FeedPorts, PoolObjectEntries } from "../../src/app/endpoint-feed.ts";
import { DEFAULT_CONFIG_TEXT } from "../../src/config/default-config.ts";
import { endpointId } from "../../src/core/brand.ts";
import { EndpointSet } from "../../src/discovery/endpoint-set.ts";
import { eventually } from "../fixtures/eventually.ts";
import { endpointsText } from "../fixtures/running-epp.ts";
import {
  askRouter,
  MODEL,
  RunningThreads,
  type ServeAnswer,
  threadsOf,
} from "../fixtures/running-threads.ts";
import { startServeWith } from "../fixtures/serve-with-feed.ts";

const folder = mkdtempSync(join(tmpdir(), "switchyard-"));
after(() => rmSync(folder, { recursive: true }));

const CLIENTS = 8;

test("threads-feeds: an endpoints file that changes under load reaches all threads, and no request fails", async () => {
  // The model is named: an engine that has come is asked for its list some time after it is ready.
  const args = ["--threads", "2", "--model", MODEL];
  await using serve = await RunningThreads.start(DEFAULT_CONFIG_TEXT, args);
  const both = serve.endpoints;
  const answers: (ServeAnswer & { readonly sentIn: number })[] = [];
  let period = 0;
  let isEnding = false;
  const client = async (at: number): Promise<void> => {
    for (let turn = 0; !isEnding; turn++) {
      const sentIn = period;
      answers.push({ ...(await serve.ask(`${at}: prompt ${turn}`)), sentIn });
    }
  };
  const clients = Array.from({ length: CLIENTS }, (_, at) => client(at));
  for (const left of [...both, ...both]) {
    writeFileSync(serve.endpointsFile, endpointsText([left]));
    await serve.untilReady([left]);
    const since = ++period;
    const sentSince = () => answers.filter(({ sentIn }) => sentIn === since);
    await serve.until(async () => {
      const ids = sentSince().map(({ decision }) => decision);
      return threadsOf(ids, 2).size === 2;
    });
    const used = new Set(sentSince().map(({ endpoint }) => endpoint));
    assert.deepEqual([...used], [left.name]);
    writeFileSync(serve.endpointsFile, endpointsText(both));
    period++;
    await serve.untilReady(both);
  }
  isEnding = true;
  await Promise.all(clients);
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
  assert.match(
    await serve.metrics(),
    /^switchyard_endpoints_reloads_total\{result="applied"\} 8$/m,
  );

  // SIGTERM lets requests end on whichever thread has them.
  const long = Array.from({ length: CLIENTS }, (_, at) => serve.ask(`long ${at}`, {}, 2000));
  await serve.until(async () => {
    const { pools } = await serve.admin<{ pools: readonly { inFlight: number }[] }>("/api/config");
    return pools[0]?.inFlight === CLIENTS;
  });
  assert.equal(await serve.stop(), 0);
  const ended = await Promise.all(long);
  assert.deepEqual([...new Set(ended.map(({ status }) => status))], [200]);
});

/** A feed that says what the test says. */
class SpokenFeed implements EndpointFeed {
  readonly #known = new EndpointSet();
  #ports: FeedPorts | undefined;
  #objects: PoolObjectEntries;

  constructor(objects: PoolObjectEntries) {
    this.#objects = objects;
  }

  start(ports: FeedPorts): void {
    this.#ports = ports;
    this.objects(this.#objects);
  }

  endpoints(addresses: readonly string[]): void {
    const specs = addresses.map((address) => ({ id: endpointId(address), address, labels: {} }));
    this.#ports?.endpoints(this.#known.replace(specs));
  }

  objects(objects: PoolObjectEntries): void {
    this.#objects = objects;
    this.#ports?.objects(objects);
  }

  isSynced(): boolean {
    return true;
  }

  describe() {
    return null;
  }

  async close(): Promise<void> {
    this.#ports = undefined;
  }
}

function objectsWith(alias: string, priority: number): PoolObjectEntries {
  const targets = [{ model: "m", weight: undefined }];
  return {
    objectives: [{ name: "batch", priority }],
    rewrites: [{ name: alias, rules: [{ matches: [alias], targets }] }],
  };
}

/** An engine that is healthy and keeps the connections that completions came by. */
async function notingEngine() {
  const connections = new Set<Socket>();
  const server = createServer((request, response) => {
    if (request.method === "POST") connections.add(request.socket);
    request.resume().on("end", () => response.end("{}"));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

test("threads-feeds: objectives, rewrites and lost endpoints of a feed reach all threads", async () => {
  await using engine = await notingEngine();
  const feed = new SpokenFeed(objectsWith("first", 3));
  const file = join(folder, "picker.yaml");
  const router = await startServeWith(feed, { file, modelName: "m", threads: 2 });
  const url = `http://127.0.0.1:${router.port}`;
  const shown = async (path: string): Promise<unknown> =>
    await (await fetch(`http://127.0.0.1:${router.adminPort}${path}`)).json();
  /** Decisions of which both threads have made one. */
  const askedOfBoth = async (model: string): Promise<readonly string[]> => {
    const headers = { "x-llm-d-inference-objective": "batch" };
    const ids: string[] = [];
    while (threadsOf(ids, 2).size < 2) {
      const { decision } = await askRouter(url, { model, prompt: "hello" }, headers);
      assert.ok(decision !== undefined, `no thread decides on ${model}`);
      ids.push(decision);
    }
    return ids;
  };
  const prioritiesFor = async (model: string): Promise<readonly number[]> => {
    const ids = await askedOfBoth(model);
    const decisions = await Promise.all(ids.map((id) => shown(`/api/decisions/${id}`)));
    const priorities = decisions as readonly { readonly request: { readonly priority: number } }[];
    return [...new Set(priorities.map(({ request }) => request.priority))];
  };
  const found = async (): Promise<void> => {
    feed.endpoints([engine.address]);
    await eventually(() => router.core("pool")?.endpoints.isReady(0) === true);
  };
  try {
    await found();
    assert.deepEqual(await prioritiesFor("first"), [3]);
    feed.objects(objectsWith("second", 7));
    // Answers of the admin API come after what the threads were told before.
    await shown("/api/decisions");
    assert.deepEqual(await prioritiesFor("second"), [7]);
    for (let at = 0; at < 12; at++) {
      const { status } = await askRouter(url, { model: "first", prompt: "hello" });
      assert.equal(status, 404);
    }
    const earlier = new Set(engine.connections);
    feed.endpoints([]);
    engine.connections.clear();
    await found();
    await askedOfBoth("second");
    assert.equal(engine.connections.isDisjointFrom(earlier), true);
  } finally {
    await router.drain();
  }
});
