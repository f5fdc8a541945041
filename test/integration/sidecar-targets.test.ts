import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { HttpEndpoint } from "../fixtures/http-endpoint.ts";
import { oldPool, PATHS, pod, pool } from "../fixtures/kube-objects.ts";
import { KubeServer } from "../fixtures/kube-server.ts";
import { endpointsText } from "../fixtures/running-epp.ts";
import { freePorts, RunningProgram } from "../fixtures/running-program.ts";
import { runCli } from "../fixtures/running-up.ts";

const folder = mkdtempSync(join(tmpdir(), "switchyard-targets-"));
let engine: HttpEndpoint;
let enginePort: number;
let files = 0;

before(async () => {
  // Prefill and decode both: a handle for the one, and no more than JSON for the other.
  engine = await HttpEndpoint.start(() => ({
    status: 200,
    body: '{"kv_transfer_params":{"remote_block_ids":[1]}}',
  }));
  enginePort = Number(engine.address.split(":")[1]);
});
after(async () => {
  await engine[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const POOL = "--inference-pool=ns/p";

/** Starts the sidecar with the server's kubeconfig; it is there once it wrote a line that begins so. */
async function startSidecar(
  server: KubeServer | undefined,
  args: readonly string[],
  { greeting = "sidecar on ", variables = {} as Readonly<Record<string, string>> } = {},
): Promise<RunningProgram> {
  const kubeconfig = join(folder, `kubeconfig-${files++}`);
  if (server !== undefined) writeFileSync(kubeconfig, server.kubeconfig);
  const common = ["sidecar", "--port=0", "--host=127.0.0.1", "--secure-serving=false"];
  return await RunningProgram.start(
    [...common, `--model-server-port=${enginePort}`, ...args],
    greeting,
    { KUBECONFIG: kubeconfig, ...variables },
  );
}

/** Status of a split request whose prefill target is this one. */
async function ask(sidecar: RunningProgram, target: string): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${sidecar.ports[0]}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-prefiller-host-port": target },
    body: JSON.stringify({ model: "m", prompt: "hello" }),
  });
  await answer.arrayBuffer();
  return answer.status;
}

async function untilAnswered(sidecar: RunningProgram, target: string, status: number) {
  while ((await ask(sidecar, target)) !== status) await pause();
}

async function untilLogged(sidecar: RunningProgram, text: string): Promise<void> {
  while (!sidecar.lines.some((line) => line.includes(text))) await pause();
}

function pause(): Promise<void> {
  return new Promise((done) => setTimeout(done, 25));
}

test("sidecar-targets: the pool's pods are allowed at its ports as they come and go, ready or not", async () => {
  await using server = await KubeServer.start();
  server.put(PATHS.pods, pod("other", { ip: "127.0.0.2", labels: { app: "else" } }));
  server.put(PATHS.pools, pool("p", [enginePort]));
  await using sidecar = await startSidecar(server, [POOL]);
  assert.equal(await ask(sidecar, engine.address), 403);

  server.put(PATHS.pods, pod("one", { ip: "127.0.0.1", isReady: false }));
  await untilAnswered(sidecar, engine.address, 200);
  server.put(PATHS.pods, pod("one", { ip: "127.0.0.1" }));
  assert.equal(await ask(sidecar, engine.address), 200);
  for (const target of ["127.0.0.1:22", `127.0.0.2:${enginePort}`, `one:${enginePort}`]) {
    assert.equal(await ask(sidecar, target), 403, target);
  }

  await server.away();
  server.remove(PATHS.pods, "one");
  await untilLogged(sidecar, '"kubernetes-failed"');
  assert.equal(await ask(sidecar, engine.address), 200);
  await server.open();
  await untilAnswered(sidecar, engine.address, 403);
  assert.equal(await sidecar.stop(), 0);
});

test("sidecar-targets: what is listed counts beside the pool, and faults of the API server are counted", async () => {
  await using server = await KubeServer.start();
  server.serve(PATHS.pods);
  server.put(PATHS.pools, pool("p", [enginePort]));
  server.trouble = ({ isWatch }) => (isWatch ? { status: 403 } : undefined);
  const metricsPort = await freePorts(1);
  const listed = `--allow-prefill=${engine.address}`;
  const args = [POOL, listed, `--metrics-port=${metricsPort}`];
  await using sidecar = await startSidecar(server, args);
  await untilLogged(sidecar, '"kubernetes-denied"');
  assert.equal(await ask(sidecar, engine.address), 200);
  assert.equal(await ask(sidecar, `127.0.0.2:${enginePort}`), 403);
  const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  assert.match(metrics, /^switchyard_discovery_faults_total{resource="pods",reason="[a-z]+"} \d/m);
});

test("sidecar-targets: it listens once the pool is known, and can be stopped before", async () => {
  await using server = await KubeServer.start();
  server.serve(PATHS.pools);
  server.put(PATHS.pods, pod("one", { ip: "127.0.0.1" }));
  await using waiting = await startSidecar(server, [POOL], { greeting: "{" });
  await untilLogged(waiting, '"pool-missing"');
  assert.ok(!waiting.lines.some((line) => line.startsWith("sidecar on ")));
  assert.equal(await waiting.stop(), 0);

  while (server.watchCount(PATHS.pools) > 0) await pause();
  const starting = startSidecar(server, [POOL]);
  while (server.watchCount(PATHS.pools) === 0) await pause();
  server.put(PATHS.pools, pool("p", [enginePort]));
  await using sidecar = await starting;
  assert.equal(await ask(sidecar, engine.address), 200);
});

// KServe's preset names the older group wherever its pool is.
for (const group of ["oldPools", "pools"] as const) {
  test(`sidecar-targets: the arguments that KServe gives it start it where there are ${group}`, async () => {
    await using server = await KubeServer.start();
    server.put(PATHS.pods, pod("one", { ip: "127.0.0.1" }));
    const object = group === "pools" ? pool("p", [enginePort]) : oldPool("p", enginePort);
    server.put(PATHS[group], object);
    const kserve = [
      `--vllm-port=${enginePort}`,
      "--kv-connector=nixlv2",
      "--enable-ssrf-protection=true",
      "--pool-group=inference.networking.x-k8s.io",
      POOL,
      "--secure-proxy=false",
    ];
    const variables = { INFERENCE_POOL_NAMESPACE: "ns", INFERENCE_POOL_NAME: "p" };
    await using sidecar = await startSidecar(server, kserve, { variables });
    assert.ok(!sidecar.lines.some((line) => line.includes("flag-without-effect")));
    assert.equal(await ask(sidecar, engine.address), 200);
    assert.equal(await ask(sidecar, "169.254.169.254:80"), 403);
    // The least that a role has to allow.
    const resources = server.requests.map(
      ({ method, path }) => `${method} ${path.split("/").pop()}`,
    );
    assert.deepEqual([...new Set(resources)].toSorted(), ["GET inferencepools", "GET pods"]);
  });
}

for (const variables of [
  { INFERENCE_POOL: "ns/p" },
  { INFERENCE_POOL_NAMESPACE: "ns", INFERENCE_POOL_NAME: "p" },
]) {
  test(`sidecar-targets: ${Object.keys(variables).join(" and ")} name the pool`, async () => {
    await using server = await KubeServer.start();
    server.put(PATHS.pods, pod("one", { ip: "127.0.0.1" }));
    server.put(PATHS.pools, pool("p", [enginePort]));
    await using sidecar = await startSidecar(server, [], { variables });
    assert.equal(await ask(sidecar, engine.address), 200);
  });
}

test("sidecar-targets: without a cluster the pool is an error that says what to do", async () => {
  const { code, stderr } = await runCli(["sidecar", POOL]);
  assert.equal(code, 2);
  assert.match(stderr, /kubernetes: no cluster is configured: set KUBECONFIG .*--endpoints/);
});

test("sidecar-targets: the endpoints file is followed, and no cluster is asked", async () => {
  const file = join(folder, "endpoints.json");
  const decode = { name: "d", address: "127.0.0.2:8000", role: "decode" };
  writeFileSync(file, endpointsText([{ name: "p", address: "127.0.0.3:1", role: "prefill" }]));
  await using sidecar = await startSidecar(undefined, ["--endpoints", file, POOL]);
  await untilLogged(sidecar, "nothing is asked of a cluster");
  assert.equal(await ask(sidecar, engine.address), 403);
  writeFileSync(file, endpointsText([{ name: "p", address: engine.address, role: "prefill" }]));
  await untilAnswered(sidecar, engine.address, 200);
  writeFileSync(file, "endpoints: [");
  await untilLogged(sidecar, '"endpoints-rejected"');
  assert.equal(await ask(sidecar, engine.address), 200);
  writeFileSync(
    file,
    endpointsText([{ name: "p", address: engine.address, role: "decode" }, decode]),
  );
  await untilAnswered(sidecar, engine.address, 403);
});

test("sidecar-targets: a file without an endpoint for prefill is refused at the start", async () => {
  const file = join(folder, "no-roles.json");
  writeFileSync(file, endpointsText([{ name: "p", address: engine.address }]));
  const { code, stderr } = await runCli(["sidecar", "--endpoints", file]);
  assert.equal(code, 2);
  assert.match(
    stderr,
    /--endpoints: .* has no endpoint for prefill \(label llm-d\.ai\/role: prefill/,
  );
});
