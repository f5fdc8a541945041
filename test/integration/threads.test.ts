import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { RunningThreads, threadsOf } from "../fixtures/running-threads.ts";
import { runCli } from "../fixtures/running-up.ts";

const CONFIG = `apiVersion: llm-d.ai/v1alpha1
kind: EndpointPickerConfig
plugins:
- type: single-profile-handler
- type: prefix-cache-scorer
- type: queue-scorer
- type: max-score-picker
schedulingProfiles:
- name: default
  plugins:
  - { pluginRef: prefix-cache-scorer, weight: 3 }
  - { pluginRef: queue-scorer, weight: 1 }
  - { pluginRef: max-score-picker }
`;

interface DecisionView {
  readonly id: string;
  readonly state: string;
}
interface PoolView {
  readonly lastReload: { readonly result: string; readonly message: string | null } | null;
  readonly inFlight: number;
}

async function poolOf(serve: RunningThreads): Promise<PoolView> {
  const { pools } = await serve.admin<{ pools: readonly [PoolView] }>("/api/config");
  return pools[0];
}

/** The sum of a counter over its series. */
function total(metrics: string, name: string): number {
  const series = metrics.split("\n").filter((line) => line.startsWith(`${name}{`));
  return series.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}

test("threads: one port, one view: prefixes, decisions, metrics and the access log are of all threads", async () => {
  await using serve = await RunningThreads.start(CONFIG, ["--threads", "3"]);
  const prompt = "The same long beginning of every prompt. ".repeat(20);
  const first = await serve.ask(prompt);
  assert.equal(first.status, 200);
  const answers = [first];
  for (let at = 0; at < 40; at++) answers.push(await serve.ask(`${prompt}${at}`));
  // Whichever thread got the request, it knew where the prefix was.
  assert.deepEqual([...new Set(answers.map(({ endpoint }) => endpoint))], [first.endpoint]);
  const ids = answers.map(({ decision }) => decision ?? "");
  assert.equal(new Set(ids).size, answers.length);
  assert.ok(threadsOf(ids, 3).size > 1, "the kernel gave all connections to one thread");
  for (const id of ids) {
    const decision = await serve.admin<DecisionView>(`/api/decisions/${id}`);
    assert.deepEqual([decision.id, decision.state], [id, "closed"]);
  }
  const listed = await serve.admin<readonly DecisionView[]>("/api/decisions?limit=5");
  assert.deepEqual(
    listed.map(({ id }) => id),
    ids.slice(-5).reverse(),
  );
  const metrics = await serve.metrics();
  assert.equal(total(metrics, "llm_d_epp_scheduler_attempts_total"), answers.length);
  assert.equal(total(metrics, "inference_extension_scheduler_attempts_total"), answers.length);
  assert.match(metrics, /^llm_d_epp_info\{.*\} 1$/m);
  assert.match(metrics, /^llm_d_epp_ready_endpoints\{name="pool"\} 2$/m);
  assert.equal((await poolOf(serve)).inFlight, 0);
  assert.equal(await serve.stop(), 0);
  const lines = serve.lines.filter((line) => line.includes('"decision":'));
  assert.equal(lines.length, answers.length);
  const logged = lines.map((line) => (JSON.parse(line) as { decision: string }).decision);
  assert.deepEqual(logged.toSorted(), ids.toSorted());
});

test("threads: a changed configuration reaches all of them, and one that is not fit for threads none", async () => {
  await using serve = await RunningThreads.start(CONFIG, ["--threads", "2", "--pd", "router"]);
  const scorersOf = async (): Promise<ReadonlySet<string>> => {
    for (let at = 0; at < 12; at++) await serve.ask(`prompt ${at}`);
    const decisions =
      await serve.admin<
        readonly { profiles: readonly { scorers: readonly { weight: number }[] }[] }[]
      >("/api/decisions?limit=12");
    return new Set(
      decisions.map(({ profiles }) =>
        JSON.stringify(profiles[0]?.scorers.map(({ weight }) => weight)),
      ),
    );
  };
  assert.deepEqual([...(await scorersOf())], ["[3,1]"]);
  writeFileSync(serve.configFile, CONFIG.replace("weight: 3", "weight: 7"));
  await serve.until(async () => (await poolOf(serve)).lastReload?.result === "applied");
  assert.deepEqual([...(await scorersOf())], ["[7,1]"]);
  writeFileSync(
    serve.configFile,
    CONFIG.replace("type: queue-scorer", "type: no-hit-lru-scorer").replace(
      "pluginRef: queue-scorer",
      "pluginRef: no-hit-lru-scorer",
    ),
  );
  await serve.until(async () => (await poolOf(serve)).lastReload?.result === "rejected");
  assert.match((await poolOf(serve)).lastReload?.message ?? "", /no-hit-lru-scorer keeps private/);
  assert.deepEqual([...(await scorersOf())], ["[7,1]"]);
});

const CRASHING = `
export function plugin(api) {
  return api.definePlugin({
    type: "crashing-filter", stability: "stable", state: "none", roles: ["filter"],
    params: api.noParams,
    create: () => ({
      filter(cycle) {
        if (cycle.request.header("x-crash") !== undefined) process.exit(7);
      },
    }),
  });
}`;

test("threads: one that dies in the lock is started again, its charges are given back, its counts stay", async () => {
  const file = join(mkdtempSync(join(tmpdir(), "switchyard-")), "crashing.mjs");
  writeFileSync(file, CRASHING);
  const config = CONFIG.replace(
    "- type: max-score-picker\n",
    "- type: max-score-picker\n- type: crashing-filter\n",
  ).replace(
    "  - { pluginRef: prefix",
    "  - { pluginRef: crashing-filter }\n  - { pluginRef: prefix",
  );
  await using serve = await RunningThreads.start(config, ["--threads", "2", "--plugin", file]);
  for (let at = 0; at < 10; at++) assert.equal((await serve.ask(`prompt ${at}`)).status, 200);
  assert.equal(total(await serve.metrics(), "llm_d_epp_scheduler_attempts_total"), 10);
  // Long answers, so that both threads have requests in flight when one of them dies.
  const long = Array.from({ length: 16 }, (_, at) =>
    serve.ask(`long ${at}`, {}, 20_000).then(
      ({ status }) => status,
      () => "cut",
    ),
  );
  await serve.until(async () => (await poolOf(serve)).inFlight === 16);
  await assert.rejects(serve.ask("the last one", { "x-crash": "yes" }));
  await serve.until(async () =>
    serve.lines.some((line) => line.includes("thread-charges-released")),
  );
  await serve.until(async () => serve.lines.some((line) => line.includes("lock-reset")));
  assert.match(await serve.metrics(), /^switchyard_lock_resets_total 1$/m);
  const left = (await poolOf(serve)).inFlight;
  assert.ok(left > 0 && left < 16, `${left} in flight`);
  // The thread is back once connections reach two threads again.
  await serve.until(async () => {
    const ids: string[] = [];
    for (let at = 0; at < 8; at++) ids.push((await serve.ask(`again ${at}`)).decision ?? "");
    return threadsOf(ids, 2).size === 2;
  });
  assert.ok(total(await serve.metrics(), "llm_d_epp_scheduler_attempts_total") > 10);
  assert.equal(await serve.stop(), 0);
  assert.ok((await Promise.all(long)).includes("cut"));
});

test("threads: what cannot be run by several is refused before anything listens", async () => {
  const folder = mkdtempSync(join(tmpdir(), "switchyard-"));
  const config = join(folder, "picker.yaml");
  const endpoints = join(folder, "endpoints.yaml");
  writeFileSync(config, CONFIG);
  writeFileSync(endpoints, "endpoints: []\n");
  const serve = ["serve", "--config", config, "--endpoints", endpoints, "--admin-port", "0"];
  const recorded = await runCli([...serve, "--threads", "2", "--record", join(folder, "r")]);
  assert.deepEqual(
    [recorded.code, recorded.stderr.includes("--record needs --threads 1")],
    [2, true],
  );
  const plugin = join(folder, "own.mjs");
  writeFileSync(plugin, CRASHING.replace('state: "none", ', ""));
  const own = CONFIG.replace("type: queue-scorer", "type: crashing-filter").replace(
    "pluginRef: queue-scorer, weight: 1",
    "pluginRef: crashing-filter",
  );
  const sessions = CONFIG.replaceAll("queue-scorer", "session-affinity-scorer");
  for (const [text, type] of [
    [own, "crashing-filter"],
    [sessions, "session-affinity-scorer"],
  ] as const) {
    writeFileSync(config, text);
    const refused = await runCli([...serve, "--plugin", plugin, "--threads", "2"]);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, new RegExp(`picker.yaml:6:\\d+: --threads: plugin ${type} keeps`));
  }
  writeFileSync(config, CONFIG);
  const events = await runCli([...serve, "--threads", "2", "--kv-events-port", "5557"]);
  assert.deepEqual([events.code, events.stderr.includes("not shared; run one thread")], [2, true]);
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  const { port } = other.address() as AddressInfo;
  const taken = await runCli([...serve, "--threads", "2", "--port", String(port)]);
  assert.deepEqual([taken.code, taken.stderr.includes(`port ${port} is taken`)], [2, true]);
  other.close();
});
