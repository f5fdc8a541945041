import assert from "node:assert/strict";
import test from "node:test";
import { eventually } from "../../test/fixtures/eventually.ts";
import { apiOf, keepingPorts } from "../../test/fixtures/kube-client.ts";
import { oldPool, PATHS, pod, pool } from "../../test/fixtures/kube-objects.ts";
import { KubeServer } from "../../test/fixtures/kube-server.ts";
import { type FollowedPool, followPool, type PodSource } from "./follow-pool.ts";
import type { PodsTaken } from "./pod.ts";

const POOL = { kind: "pool", pool: { namespace: "ns", name: "p" } } as const;

interface Following extends AsyncDisposable {
  readonly pool: FollowedPool;
  readonly lines: readonly string[];
  /** What was told: `+id address` and `-id`. */
  readonly told: string[];
  /** Addresses by id as they follow from what was told. */
  now(): string;
}

function follow(server: KubeServer, source: PodSource = POOL, takes?: PodsTaken): Following {
  const { lines, log, meter } = keepingPorts();
  const told: string[] = [];
  const known = new Map<string, string>();
  const followed = followPool({
    api: apiOf(server),
    source,
    ...(takes === undefined ? {} : { takes }),
    changed({ changes }) {
      for (const change of changes) {
        if (change.kind === "added") {
          const { id, address } = change.endpoint;
          known.set(id, address);
          told.push(`+${id} ${address}`);
        } else {
          known.delete(change.id);
          told.push(`-${change.id}`);
        }
      }
    },
    log,
    meter,
  });
  return {
    pool: followed,
    lines,
    told,
    now: () => [...known].map(([id, address]) => `${id}=${address}`).join(),
    [Symbol.asyncDispose]: () => followed.close(),
  };
}

async function serverWith(ports: readonly number[] = [80]): Promise<KubeServer> {
  const server = await KubeServer.start();
  server.serve(PATHS.pods);
  server.put(PATHS.pools, pool("p", ports));
  server.put(PATHS.pools, pool("another", [1], { app: "else" }));
  return server;
}

test("follow-pool: pods come, become ready, unready and go", async () => {
  await using server = await serverWith();
  server.put(PATHS.pods, pod("a", { ip: "10.0.0.1" }));
  server.put(PATHS.pods, pod("b", { ip: "10.0.0.2", isReady: false }));
  await using following = follow(server);
  await eventually(() => following.now() === "a=10.0.0.1:80");
  assert.ok(following.pool.isSynced());
  server.put(PATHS.pods, pod("b", { ip: "10.0.0.2" }));
  await eventually(() => following.now() === "a=10.0.0.1:80,b=10.0.0.2:80");
  server.put(PATHS.pods, pod("a", { ip: "10.0.0.1", isTerminating: true }));
  await eventually(() => following.now() === "b=10.0.0.2:80");
  server.remove(PATHS.pods, "b");
  await eventually(() => following.now() === "");
  assert.ok(following.pool.isSynced());
});

test("follow-pool: all pods that have an address may be taken, ready or not, but none that has ended", async () => {
  await using server = await serverWith();
  server.put(PATHS.pods, pod("a", { ip: "10.0.0.1", isReady: false }));
  server.put(PATHS.pods, pod("b", { ip: "10.0.0.2", isTerminating: true }));
  server.put(PATHS.pods, pod("c", { ip: "10.0.0.3", phase: "Failed", isReady: false }));
  await using following = follow(server, POOL, "addressed");
  await eventually(() => following.now() === "a=10.0.0.1:80,b=10.0.0.2:80");
  server.put(PATHS.pods, pod("b", { ip: "10.0.0.2", phase: "Succeeded", isReady: false }));
  await eventually(() => following.now() === "a=10.0.0.1:80");
});

test("follow-pool: a pod that was made anew under its name and address is another endpoint", async () => {
  await using server = await serverWith();
  server.put(PATHS.pods, pod("a", { ip: "10.0.0.1", uid: "one" }));
  await using following = follow(server);
  await eventually(() => following.now() === "a=10.0.0.1:80");
  server.put(PATHS.pods, pod("a", { ip: "10.0.0.1", uid: "two" }));
  await eventually(() => following.told.length === 3);
  assert.deepEqual(following.told, ["+a 10.0.0.1:80", "-a", "+a 10.0.0.1:80"]);
});

test("follow-pool: other ports and another selector count for the pods that are there", async () => {
  await using server = await serverWith();
  server.put(PATHS.pods, pod("a", { ip: "10.0.0.1" }));
  server.put(PATHS.pods, pod("b", { ip: "10.0.0.2", labels: { app: "new" } }));
  await using following = follow(server);
  await eventually(() => following.now() === "a=10.0.0.1:80");
  server.put(PATHS.pools, pool("p", [80, 81]));
  await eventually(() => following.now() === "a-rank-0=10.0.0.1:80,a-rank-1=10.0.0.1:81");
  const gate = Promise.withResolvers<void>();
  server.trouble = ({ query }) =>
    query["labelSelector"] === "app=new" ? { waitFor: gate.promise } : undefined;
  server.put(PATHS.pools, pool("p", [82], { app: "new" }));
  await eventually(() => server.requests.at(-1)?.query["labelSelector"] === "app=new");
  assert.match(following.now(), /^a-rank-0/, "they stay until the others are known");
  gate.resolve();
  await eventually(() => following.now() === "b=10.0.0.2:82");
});

test("follow-pool: a pool that goes takes its endpoints along, and brings them back", async () => {
  await using server = await serverWith();
  server.put(PATHS.pods, pod("a", { ip: "10.0.0.1" }));
  await using following = follow(server);
  await eventually(() => following.now() === "a=10.0.0.1:80");
  server.remove(PATHS.pools, "p");
  await eventually(() => following.now() === "");
  assert.ok(!following.pool.isSynced());
  assert.ok(following.lines.some((line) => line.startsWith("pool-missing")));
  server.put(PATHS.pools, pool("p", [80]));
  await eventually(() => following.now() === "a=10.0.0.1:80");
  assert.ok(following.pool.isSynced());
});

test("follow-pool: endpoints stay while the API server is away, and while it speaks nonsense", async () => {
  await using server = await serverWith();
  server.put(PATHS.pods, pod("a", { ip: "10.0.0.1" }));
  await using following = follow(server);
  await eventually(() => following.now() === "a=10.0.0.1:80");
  server.trouble = () => ({ status: 404 });
  server.endWatches(PATHS.pods, "cut");
  server.endWatches(PATHS.pools, "cut");
  await eventually(() => following.lines.some((line) => line.startsWith("resource-absent")));
  await server.away();
  await eventually(() => following.lines.some((line) => line.startsWith("kubernetes-failed")));
  assert.deepEqual(following.told, ["+a 10.0.0.1:80"]);
  assert.ok(following.pool.isSynced());
});

test("follow-pool: where only the older group is served its pool is followed", async () => {
  await using server = await KubeServer.start();
  server.serve(PATHS.pods);
  server.put(PATHS.oldPools, oldPool("p", 8000));
  server.put(PATHS.pods, pod("a", { ip: "10.0.0.1" }));
  await using following = follow(server);
  await eventually(() => following.now() === "a=10.0.0.1:8000");
});

test("follow-pool: of both groups the newer one counts, unless the older one is named", async () => {
  await using server = await serverWith([80]);
  server.put(PATHS.oldPools, oldPool("p", 8000));
  server.put(PATHS.pods, pod("a", { ip: "10.0.0.1" }));
  const group = "inference.networking.x-k8s.io";
  await using newer = follow(server);
  await using older = follow(server, { kind: "pool", pool: { ...POOL.pool, group } });
  await eventually(() => newer.now() === "a=10.0.0.1:80" && older.now() === "a=10.0.0.1:8000");
});

test("follow-pool: a selector stands for a pool", async () => {
  await using server = await KubeServer.start();
  server.put(PATHS.pods, pod("a", { ip: "10.0.0.1" }));
  server.put(PATHS.pods, pod("b", { ip: "10.0.0.2", labels: { app: "else" } }));
  const shape = { selector: "app=llm", ports: [80, 81] };
  await using following = follow(server, { kind: "selector", namespace: "ns", shape });
  await eventually(() => following.now() === "a-rank-0=10.0.0.1:80,a-rank-1=10.0.0.1:81");
  assert.ok(following.pool.isSynced());
});
