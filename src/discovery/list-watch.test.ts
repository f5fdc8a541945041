import assert from "node:assert/strict";
import test from "node:test";
import { eventually } from "../../test/fixtures/eventually.ts";
import { apiOf, keepingPorts } from "../../test/fixtures/kube-client.ts";
import { PATHS, type PodTraits, pod } from "../../test/fixtures/kube-objects.ts";
import { KubeServer } from "../../test/fixtures/kube-server.ts";
import { ListWatch } from "./list-watch.ts";
import { type Pod, readPod } from "./pod.ts";

const PODS = PATHS.pods;

interface Following extends AsyncDisposable {
  readonly watch: ListWatch<Pod>;
  readonly lines: readonly string[];
  readonly counts: readonly string[];
  /** `name ip` of each pod. */
  seen(): string;
}

function follow(server: KubeServer, options: { paths?: readonly string[] } = {}): Following {
  const { lines, counts, log, meter } = keepingPorts();
  const watch = new ListWatch({
    api: apiOf(server),
    resource: "pods",
    kind: "Pod",
    paths: options.paths ?? [PODS],
    query: { labelSelector: "app=llm" },
    read: readPod,
    changed: () => undefined,
    log,
    meter,
  });
  return {
    watch,
    lines,
    counts,
    seen: () => [...watch.objects.values()].map(({ name, ip }) => `${name} ${ip}`).join(),
    [Symbol.asyncDispose]: () => watch.close(),
  };
}

async function serverWith(pods: Readonly<Record<string, PodTraits>>): Promise<KubeServer> {
  const server = await KubeServer.start();
  server.serve(PODS);
  for (const [name, traits] of Object.entries(pods)) server.put(PODS, pod(name, traits));
  return server;
}

const lists = (server: KubeServer): number =>
  server.requests.filter(({ path, isWatch }) => path === PODS && !isWatch).length;
const watches = (server: KubeServer) =>
  server.requests.filter(({ path, isWatch }) => path === PODS && isWatch);

test("list-watch: a list, then every change, of what the selector takes", async () => {
  await using server = await serverWith({
    a: { ip: "10.0.0.1" },
    other: { ip: "10.0.0.9", labels: { app: "else" } },
  });
  await using following = follow(server);
  await eventually(() => server.watchCount(PODS) === 1);
  assert.ok(following.watch.isSynced);
  assert.equal(following.seen(), "a 10.0.0.1");
  server.put(PODS, pod("b", { ip: "10.0.0.2" }));
  await eventually(() => following.seen() === "a 10.0.0.1,b 10.0.0.2");
  server.put(PODS, pod("a", { ip: "10.0.0.3" }));
  await eventually(() => following.seen() === "a 10.0.0.3,b 10.0.0.2");
  server.put(PODS, pod("a", { ip: "10.0.0.3", labels: { app: "else" } }));
  await eventually(() => following.seen() === "b 10.0.0.2");
  server.remove(PODS, "b");
  await eventually(() => following.seen() === "");
  assert.equal(lists(server), 1);
  assert.equal(watches(server)[0]?.query["allowWatchBookmarks"], "true");
});

test("list-watch: a list in pages is complete before it counts", async () => {
  await using server = await serverWith({});
  for (let i = 0; i < 600; i++) server.put(PODS, pod(`p${i}`, { ip: "10.0.0.1" }));
  const gate = Promise.withResolvers<void>();
  server.trouble = ({ query }) =>
    query["continue"]?.endsWith("/500") ? { waitFor: gate.promise } : undefined;
  await using following = follow(server);
  await eventually(() => lists(server) === 3);
  assert.equal(following.watch.objects.size, 0);
  assert.ok(!following.watch.isSynced);
  gate.resolve();
  await eventually(() => following.watch.objects.size === 600);
});

test("list-watch: of more objects than are kept the first stay", async () => {
  await using server = await serverWith({});
  for (let i = 0; i < 5003; i++) server.put(PODS, pod(`p${i}`, { ip: "10.0.0.1" }));
  await using following = follow(server);
  await eventually(() => following.watch.isSynced);
  assert.equal(following.watch.objects.size, 5000);
  assert.ok(following.watch.objects.has("p4999"));
  assert.equal(following.counts.filter((count) => count === "pods skipped").length, 3);
  assert.equal(following.lines.length, 1, "told once");
});

test("list-watch: pages that are too old are asked for anew", async () => {
  await using server = await serverWith({});
  for (let i = 0; i < 300; i++) server.put(PODS, pod(`p${i}`, { ip: "10.0.0.1" }));
  server.trouble = ({ query }) => {
    if (query["continue"] === undefined) return undefined;
    server.trouble = () => undefined;
    return { status: 410 };
  };
  await using following = follow(server);
  await eventually(() => following.watch.objects.size === 300);
  assert.equal(lists(server), 4);
});

test("list-watch: a watch that ends goes on from the last version, bookmarks included", async () => {
  await using server = await serverWith({ a: { ip: "10.0.0.1" } });
  await using following = follow(server);
  await eventually(() => server.watchCount(PODS) === 1);
  for (let i = 0; i < 5; i++) server.elsewhere();
  server.bookmark(PODS, "Pod", "v1");
  server.endWatches(PODS, "end");
  await eventually(() => server.watchCount(PODS) === 1);
  assert.equal(watches(server).at(-1)?.query["resourceVersion"], "106");
  server.put(PODS, pod("b", { ip: "10.0.0.2" }));
  await eventually(() => following.seen() === "a 10.0.0.1,b 10.0.0.2");
  assert.equal(lists(server), 1);
});

test("list-watch: a connection cut within an object loses nothing", async () => {
  await using server = await serverWith({ a: { ip: "10.0.0.1" } });
  await using following = follow(server);
  await eventually(() => server.watchCount(PODS) === 1);
  server.say(PODS, '{"type":"ADDED","object":{"kind":"Pod","metadata":{"na');
  server.endWatches(PODS, "cut");
  server.put(PODS, pod("b", { ip: "10.0.0.2" }));
  await eventually(() => following.seen() === "a 10.0.0.1,b 10.0.0.2");
  assert.equal(lists(server), 1);
  assert.ok(following.counts.includes("pods connection"));
});

for (const goneAs of ["status", "event"] as const) {
  test(`list-watch: 410 as ${goneAs} lists anew, and what vanished is gone`, async () => {
    await using server = await serverWith({ a: { ip: "10.0.0.1" }, b: { ip: "10.0.0.2" } });
    server.goneAs = goneAs;
    await using following = follow(server);
    await eventually(() => server.watchCount(PODS) === 1);
    server.endWatches(PODS, "cut");
    server.remove(PODS, "a");
    server.put(PODS, pod("c", { ip: "10.0.0.3" }));
    server.compact();
    await eventually(() => following.seen() === "b 10.0.0.2,c 10.0.0.3");
    assert.equal(lists(server), 2);
    assert.ok(following.counts.includes("pods resync"));
  });
}

const LIES: readonly (readonly [name: string, bytes: string])[] = [
  ["no JSON", "<html>\n"],
  ["an event without object", '{"type":"ADDED"}\n'],
  ["an object without metadata", '{"type":"ADDED","object":{"kind":"Pod"}}\n'],
  [
    "an object of another kind",
    '{"type":"ADDED","object":{"kind":"Secret","metadata":{"name":"x","resourceVersion":"999"}}}\n',
  ],
  [
    "an event of an unknown type",
    '{"type":"PAINTED","object":{"kind":"Pod","metadata":{"name":"x","resourceVersion":"999"}}}\n',
  ],
  ["a bookmark without version", '{"type":"BOOKMARK","object":{"kind":"Pod","metadata":{}}}\n'],
  [
    "a name that is none",
    '{"type":"ADDED","object":{"kind":"Pod","metadata":{"name":"../x\\n","resourceVersion":"9"}}}\n',
  ],
  ["an error that is not 410", '{"type":"ERROR","object":{"kind":"Status","code":500}}\n'],
  ["an object without end", "x".repeat(5 * 1024 * 1024)],
];
for (const [name, bytes] of LIES) {
  test(`list-watch: ${name} is counted, and the objects are listed anew`, async () => {
    await using server = await serverWith({ a: { ip: "10.0.0.1" } });
    await using following = follow(server);
    await eventually(() => server.watchCount(PODS) === 1);
    server.say(PODS, bytes);
    await eventually(() => lists(server) === 2);
    await eventually(() => server.watchCount(PODS) === 1);
    assert.equal(following.seen(), "a 10.0.0.1");
    assert.ok(following.counts.includes("pods resync"));
    server.put(PODS, pod("b", { ip: "10.0.0.2" }));
    await eventually(() => following.seen() === "a 10.0.0.1,b 10.0.0.2");
  });
}

test("list-watch: what is known stays while the server is away", async () => {
  await using server = await serverWith({ a: { ip: "10.0.0.1" } });
  await using following = follow(server);
  await eventually(() => server.watchCount(PODS) === 1);
  await server.away();
  server.put(PODS, pod("b", { ip: "10.0.0.2" }));
  await eventually(() => following.lines.some((line) => line.startsWith("kubernetes-failed")));
  assert.equal(following.seen(), "a 10.0.0.1");
  await server.open();
  await eventually(() => following.seen() === "a 10.0.0.1,b 10.0.0.2");
  assert.ok(following.lines.some((line) => line.startsWith("kubernetes-recovered")));
});

const REFUSALS = [
  { status: 403, event: "kubernetes-denied", reason: "pods denied" },
  { status: 500, event: "kubernetes-failed", reason: "pods server" },
  { status: 429, retryAfter: 1, event: "kubernetes-failed", reason: "pods throttled" },
] as const;
for (const { event, reason, ...trouble } of REFUSALS) {
  test(`list-watch: ${trouble.status} is told once, and tried again until it is over`, async () => {
    await using server = await serverWith({ a: { ip: "10.0.0.1" } });
    let refusals = 0;
    server.trouble = () => (refusals++ < 2 ? trouble : undefined);
    const startMs = performance.now();
    await using following = follow(server);
    await eventually(() => following.seen() === "a 10.0.0.1");
    assert.equal(following.lines.filter((line) => line.startsWith(event)).length, 1);
    assert.equal(following.counts.filter((count) => count === reason).length, 2);
    if ("retryAfter" in trouble) assert.ok(performance.now() - startMs >= 1990);
  });
}

for (const body of [
  "",
  "[]",
  '{"kind":"PodList"}',
  '{"kind":"SecretList","metadata":{},"items":[]}',
]) {
  test(`list-watch: ${body === "" ? "nothing" : body} in the place of a list changes nothing`, async () => {
    await using server = await serverWith({ a: { ip: "10.0.0.1" } });
    await using following = follow(server);
    await eventually(() => server.watchCount(PODS) === 1);
    let answers = 0;
    server.trouble = ({ isWatch }) => (!isWatch && answers++ < 1 ? { body } : undefined);
    server.say(PODS, "no event\n");
    await eventually(() => answers === 2);
    await eventually(() => server.watchCount(PODS) === 1);
    assert.equal(following.seen(), "a 10.0.0.1");
  });
}

test("list-watch: of several paths the first that is served is followed, and stays", async () => {
  const first = "/apis/none/v1/namespaces/ns/pods";
  await using server = await serverWith({ a: { ip: "10.0.0.1" } });
  await using following = follow(server, { paths: [first, PODS] });
  await eventually(() => server.watchCount(PODS) === 1);
  assert.equal(following.seen(), "a 10.0.0.1");
  assert.ok(!following.watch.isAbsent);
  server.serve(first);
  server.say(PODS, "no event\n");
  await eventually(() => lists(server) === 2);
  await eventually(() => server.watchCount(PODS) === 1);
  assert.equal(following.seen(), "a 10.0.0.1");
});

test("list-watch: a resource that is not served is absent, told once", async () => {
  await using server = await KubeServer.start();
  await using following = follow(server);
  await eventually(() => following.watch.isAbsent);
  assert.ok(!following.watch.isSynced);
  assert.deepEqual(following.lines, [`resource-absent {"resource":"pods","paths":["${PODS}"]}`]);
});
