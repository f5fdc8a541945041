import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { parse } from "yaml";
import { ClusterFeed } from "../../src/app/cluster-feed.ts";
import { poolSource } from "../../src/app/epp-source.ts";
import { builtinRegistry } from "../../src/app/plugin-registry.ts";
import { loadService } from "../../src/manifest/load-service.ts";
import { ExtProcClient, setHeadersOf } from "../fixtures/extproc-client.ts";
import { ASKED } from "../fixtures/extproc-under-test.ts";
import { HttpEndpoint } from "../fixtures/http-endpoint.ts";
import { apiOf } from "../fixtures/kube-client.ts";
import { objective, oldPool, PATHS, pod, pool, rewrite } from "../fixtures/kube-objects.ts";
import { KubeServer } from "../fixtures/kube-server.ts";
import { RunningEpp } from "../fixtures/running-epp.ts";
import { EXAMPLES, runCli } from "../fixtures/running-up.ts";
import { startServeWith } from "../fixtures/serve-with-feed.ts";

const folder = mkdtempSync(join(tmpdir(), "switchyard-kubernetes-"));
after(() => rmSync(folder, { recursive: true }));

const SERVING = 1;
const NOT_SERVING = 2;
const healthy = () => ({ status: 200, body: "{}" });
const BODY = JSON.stringify({ model: "m", prompt: "hello" });
let files = 0;

/** Starts the picker with the server's kubeconfig. */
async function startEpp(server: KubeServer, args: readonly string[]): Promise<RunningEpp> {
  const file = join(folder, `kubeconfig-${files++}`);
  writeFileSync(file, server.kubeconfig);
  return await RunningEpp.start(["--secure-serving=false", ...args], { KUBECONFIG: file });
}

const IN_NS = ["--pool-name=p", "--pool-namespace=ns"];

async function until(isTrue: () => Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await new Promise((done) => setTimeout(done, 25));
}

/** `name ready` of each endpoint. */
async function endpoints(epp: RunningEpp): Promise<string> {
  const rows = await epp.admin<readonly { name: string; isReady: boolean }[]>("/api/endpoints");
  return rows
    .map(({ name, isReady }) => `${name} ${isReady}`)
    .toSorted()
    .join();
}

/** Where a request goes, or its status. */
async function destination(epp: RunningEpp): Promise<string | number | undefined> {
  await using client = new ExtProcClient(epp.port);
  const call = client.open().headers("request", ASKED).body("request", BODY);
  const reply = await call.next();
  call.cancel();
  const { case: kind, value } = reply.response;
  if (kind === "immediateResponse") return value.status?.code;
  return setHeadersOf(reply)["x-gateway-destination-endpoint"];
}

test("epp-kubernetes: endpoints follow the pods of the pool, and stay while the API server is away", async () => {
  await using server = await KubeServer.start();
  server.serve(PATHS.pods);
  server.serve(PATHS.pools);
  await using one = await HttpEndpoint.start(healthy);
  const port = Number(one.address.split(":")[1]);
  await using two = await HttpEndpoint.start(healthy, { host: "127.0.0.2", port });
  await using epp = await startEpp(server, IN_NS);
  await using health = new ExtProcClient(epp.healthPort);
  assert.equal(await health.health(""), NOT_SERVING);
  assert.equal(await health.health("liveness"), SERVING);
  assert.equal(await destination(epp), 503);

  server.put(PATHS.pods, pod("one", { ip: "127.0.0.1" }));
  server.put(PATHS.pools, pool("p", [port]));
  await until(async () => (await endpoints(epp)) === "one true");
  await until(async () => (await health.health("")) === SERVING);
  assert.equal(await destination(epp), one.address);

  server.put(PATHS.pods, pod("two", { ip: "127.0.0.2" }));
  await until(async () => (await endpoints(epp)) === "one true,two true");
  server.put(PATHS.pods, pod("one", { ip: "127.0.0.1", isReady: false }));
  await until(async () => (await endpoints(epp)) === "two true");
  assert.equal(await destination(epp), two.address);

  await server.away();
  server.put(PATHS.pods, pod("one", { ip: "127.0.0.1" }));
  server.remove(PATHS.pods, "two");
  await until(async () => epp.lines.some((line) => line.includes('"kubernetes-failed"')));
  assert.equal(await endpoints(epp), "two true");
  assert.equal(await destination(epp), two.address);
  assert.equal(await health.health(""), SERVING);
  await server.open();
  await until(async () => (await endpoints(epp)) === "one true");

  server.put(PATHS.pools, pool("p", [port, port + 1]));
  await until(async () => (await endpoints(epp)) === "one-rank-0 true,one-rank-1 false");
  server.remove(PATHS.pools, "p");
  await until(async () => (await endpoints(epp)) === "");
  assert.equal(await health.health(""), NOT_SERVING);
  assert.equal(await destination(epp), 503);
  assert.equal(await epp.stop(), 0);
});

test("epp-kubernetes: objectives and rewrites take effect beside the configuration", async () => {
  await using server = await KubeServer.start();
  await using engine = await HttpEndpoint.start(healthy);
  server.put(PATHS.pods, pod("one", { ip: "127.0.0.1" }));
  server.put(PATHS.pools, pool("p", [Number(engine.address.split(":")[1])]));
  server.serve(PATHS.objectives);
  server.put(PATHS.rewrites, rewrite("r", { from: "m", to: "tuned", pool: "p" }));
  await using epp = await startEpp(server, IN_NS);
  await until(async () => (await endpoints(epp)) === "one true");
  const config = async () => {
    const { pools } = await epp.admin<{
      pools: readonly { config: { objectives: readonly object[]; rewrites: readonly object[] } }[];
    }>("/api/config");
    return pools[0]?.config;
  };
  await until(async () => (await config())?.rewrites.length === 1);
  await using client = new ExtProcClient(epp.port);
  const call = client.open().headers("request", ASKED).body("request", BODY);
  await call.next();
  const body = await call.wholeBody("request");
  assert.deepEqual(JSON.parse(body.bytes.toString()), { model: "tuned", prompt: "hello" });
  call.cancel();
  server.put(PATHS.objectives, objective("high", "p", 10));
  server.remove(PATHS.rewrites, "r");
  await until(async () => (await config())?.objectives.length === 1);
  await until(async () => (await config())?.rewrites.length === 0);
});

for (const file of EXAMPLES) {
  test(`epp-kubernetes: the arguments of ${file} start it unchanged in a cluster`, async () => {
    const registry = builtinRegistry();
    const service = loadService({ text: readFileSync(file, "utf8"), file, registry });
    const { picker, name, namespace } = service;
    await using server = await KubeServer.start();
    const here = (path: string): string => path.replace("/ns/", `/${namespace}/`);
    server.put(here(PATHS.oldPools), oldPool(`${name}-inference-pool`, 8000));
    const labels = { app: "llm", "llm-d.ai/role": "decode" };
    server.put(here(PATHS.pods), pod("gpu", { ip: "127.0.0.1", labels }));
    const kubeconfig = join(folder, `kubeconfig-${files++}`);
    writeFileSync(kubeconfig, server.kubeconfig);
    const args = [...picker.arguments, "--configText", picker.text];
    await using epp = await RunningEpp.start(args, { KUBECONFIG: kubeconfig });
    assert.match(epp.greeting, /TLS/);
    await until(async () => (await endpoints(epp)) === "gpu false");
    const rows = await epp.admin<readonly { address: string; labels: object }[]>("/api/endpoints");
    assert.equal(rows[0]?.address, "127.0.0.1:8000");
    assert.deepEqual(rows[0]?.labels, labels);
  });
}

test("epp-kubernetes: one of two leads, and the other takes over when it dies", async () => {
  await using server = await KubeServer.start();
  await using engine = await HttpEndpoint.start(healthy);
  server.put(PATHS.pods, pod("one", { ip: "127.0.0.1" }));
  server.put(PATHS.pools, pool("p", [Number(engine.address.split(":")[1])]));
  server.serve(PATHS.leases);
  const args = [...IN_NS, "--ha-enable-leader-election"];
  await using first = await startEpp(server, args);
  await using firstHealth = new ExtProcClient(first.healthPort);
  await until(async () => (await firstHealth.health("readiness")) === SERVING);
  await using second = await startEpp(server, args);
  await using secondHealth = new ExtProcClient(second.healthPort);
  await until(async () => (await endpoints(second)) === "one true");
  assert.equal(await secondHealth.health("readiness"), NOT_SERVING);
  assert.equal(await secondHealth.health("liveness"), SERVING);
  assert.equal(await destination(second), engine.address, "a follower is warm");
  const { election } = await second.admin<{ election: { isLeading: boolean; lease: string } }>(
    "/api/config",
  );
  assert.equal(election.lease, "ns/epp-ns-p.llm-d.ai");
  assert.equal(election.isLeading, false);

  await first.kill();
  await until(async () => (await secondHealth.health("readiness")) === SERVING);
  await using third = await startEpp(server, args);
  await using thirdHealth = new ExtProcClient(third.healthPort);
  await until(async () => (await endpoints(third)) === "one true");
  assert.equal(await thirdHealth.health("readiness"), NOT_SERVING);
  assert.equal(await second.stop(), 0);
  await until(async () => (await thirdHealth.health("readiness")) === SERVING);
});

test("epp-kubernetes: serve follows a pool too", async () => {
  await using server = await KubeServer.start();
  await using engine = await HttpEndpoint.start(healthy);
  server.put(PATHS.pods, pod("one", { ip: "127.0.0.1" }));
  server.put(PATHS.pools, pool("p", [Number(engine.address.split(":")[1])]));
  const feed = new ClusterFeed(apiOf(server), poolSource("ns/p").pods);
  const router = await startServeWith(feed, { file: join(folder, "picker.yaml"), modelName: "m" });
  const ask = () =>
    fetch(`http://127.0.0.1:${router.port}/v1/completions`, { method: "POST", body: BODY });
  await until(async () => (await ask()).headers.get("x-switchyard-endpoint") === "one");
  await router.drain();
});

test("epp-kubernetes: the role in deploy/base allows just what is asked for", async () => {
  await using server = await KubeServer.start();
  server.put(PATHS.pods, pod("one", { ip: "127.0.0.1" }));
  server.put(PATHS.oldPools, oldPool("p", 80));
  server.serve(PATHS.oldObjectives);
  server.serve(PATHS.oldRewrites);
  server.serve(PATHS.leases);
  await using epp = await startEpp(server, [...IN_NS, "--ha-enable-leader-election"]);
  const watched = [PATHS.pods, PATHS.oldPools, PATHS.oldObjectives, PATHS.oldRewrites];
  await until(async () => watched.every((path) => server.watchCount(path) === 1));
  await until(async () => server.requests.some(({ method }) => method === "PUT"));
  assert.equal(await epp.stop(), 0);

  const { rules } = parse(readFileSync("deploy/base/role.yaml", "utf8")) as {
    rules: readonly { apiGroups: string[]; resources: string[]; verbs: string[] }[];
  };
  const allowed = rules.flatMap(({ apiGroups, resources, verbs }) =>
    resources.flatMap((resource) => [
      ...apiGroups.map((group) => `${resource} in "${group}"`),
      ...verbs.map((verb) => `${verb} ${resource}`),
    ]),
  );
  const asked = server.requests.flatMap(({ method, path, isWatch }) => {
    const [, group = "", resource = "", name] =
      /^\/(?:api|apis\/([^/]+))\/[^/]+\/namespaces\/ns\/([^/]+)(\/.*)?$/.exec(path) ?? [];
    const reads = name === undefined ? "list" : "get";
    const verbs = { GET: isWatch ? "watch" : reads, POST: "create", PUT: "update" };
    const verb = verbs[method as keyof typeof verbs];
    return [`${resource} in "${group}"`, `${verb} ${resource}`];
  });
  assert.deepEqual([...new Set(asked)].toSorted(), [...new Set(allowed)].toSorted());
});

test("epp-kubernetes: a pod without a token is told to have one", async () => {
  const environment = { KUBECONFIG: "", KUBERNETES_SERVICE_HOST: "127.0.0.1", HOME: folder };
  const { code, stderr } = await runCli(["epp", ...IN_NS], environment);
  assert.equal(code, 2, stderr);
  assert.match(stderr, /no service account token .*automountServiceAccountToken.*--endpoints/);
});

const CLUSTERS: readonly (readonly [
  name: string,
  kubeconfig: string | undefined,
  message: RegExp,
])[] = [
  ["no cluster", undefined, /no cluster is configured: set KUBECONFIG.*--endpoints/],
  ["a kubeconfig that is none", "a: [", /KUBECONFIG: .* cannot be used/],
  ["a kubeconfig without context", "{}", /leads to no cluster/],
  [
    "http without saying so",
    JSON.stringify({
      clusters: [{ name: "c", cluster: { server: "http://127.0.0.1:1" } }],
      users: [{ name: "u", user: {} }],
      contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
      "current-context": "x",
    }),
    /reached by http without TLS.*insecure-skip-tls-verify/,
  ],
];
for (const [name, kubeconfig, message] of CLUSTERS) {
  test(`epp-kubernetes: ${name} is an error that says what to do`, async () => {
    const file = join(folder, `kubeconfig-${files++}`);
    if (kubeconfig !== undefined) writeFileSync(file, kubeconfig);
    const { code, stderr } = await runCli(["epp", ...IN_NS], {
      KUBECONFIG: kubeconfig === undefined ? "" : file,
      KUBERNETES_SERVICE_HOST: undefined,
      HOME: folder,
    });
    assert.equal(code, 2, stderr);
    assert.match(stderr, message);
  });
}
