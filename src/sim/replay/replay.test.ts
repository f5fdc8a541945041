import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { SINGLE, SPLIT, testRegistry } from "../../../test/fixtures/picker-configs.ts";
import { completed } from "../../../test/fixtures/pool-core.ts";
import { configFrom, RecordedRun } from "../../../test/fixtures/recorded-run.ts";
import { requestWith } from "../../../test/fixtures/request-with.ts";
import { endpointId } from "../../core/brand.ts";
import { ConfigError } from "../../core/config-error.ts";
import { kvCacheUsage, waitingQueueDepth } from "../../endpoints/numeric-attribute.ts";
import { effectOf } from "./effect.ts";
import { poolOfService, replay } from "./replay.ts";
import type { PoolReplay, ReplayReport } from "./replay-report.ts";

/** Scores by what the engines themselves report to hold. */
const KV_MATCH = SINGLE.replaceAll("prefix-cache-scorer", "kv-cache-scorer").replace(
  /parameters:\n.*\n.*\n.*\n/,
  "parameters: { mode: match }\n",
);

async function replayed(lines: readonly string[], other?: string): Promise<ReplayReport> {
  const config = other === undefined ? undefined : configFrom(other);
  return replay(
    { file: "run.jsonl", lines },
    {
      registry: testRegistry,
      others: () => new Map(config === undefined ? [] : [["pool", { file: "other.yaml", config }]]),
    },
  );
}

function onlyPool(report: ReplayReport): PoolReplay {
  const [pool] = report.pools;
  assert.ok(pool !== undefined);
  return pool;
}

const words = (name: string, count: number): string => `${name} `.repeat(count);

type Step =
  | { readonly kind: "send"; readonly prompt: number; readonly length: number }
  | { readonly kind: "answer" | "end" | "retry"; readonly pick: number }
  | { readonly kind: "scrape"; readonly slot: number; readonly queue: number; readonly kv: number }
  | { readonly kind: "restart" | "eject" | "ready"; readonly slot: number };

const slot = fc.nat(3);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant("send" as const), prompt: fc.nat(3), length: fc.nat(60) }),
  fc.record({ kind: fc.constantFrom("answer", "end", "retry"), pick: fc.nat(50) }),
  fc.record({
    kind: fc.constant("scrape" as const),
    slot,
    queue: fc.nat(9),
    kv: fc.double({ min: 0, max: 1, noNaN: true }),
  }),
  fc.record({ kind: fc.constantFrom("restart", "eject", "ready"), slot }),
);

function play(run: RecordedRun, steps: readonly Step[]): void {
  const traits = [0, 1, 2, 3].map((index) => ({
    id: `e${index}`,
    role: index < 2 ? "decode" : "prefill",
  }));
  for (const endpoint of traits) run.addReady(endpoint);
  const live: NonNullable<ReturnType<RecordedRun["send"]>>[] = [];
  const { recording } = run;
  for (const now of steps) {
    const nowMs = ++run.nowMs;
    switch (now.kind) {
      case "send": {
        const sent = run.send(requestWith({ prompt: words(`p${now.prompt}`, 10 * now.length) }));
        if (sent !== undefined) live.push(sent);
        break;
      }
      case "answer":
      case "end":
      case "retry": {
        const index = now.pick % Math.max(1, live.length);
        const one = live[index];
        if (one === undefined) break;
        if (now.kind === "answer") recording.firstByte(one.decision, nowMs);
        else if (now.kind === "retry") {
          const target = recording.retry(one.decision, one.target, nowMs);
          if (target !== undefined) live[index] = { ...one, target };
        } else {
          recording.end(one.decision, "completed", completed, nowMs);
          live.splice(index, 1);
        }
        break;
      }
      case "scrape": {
        const values = new Map([
          [waitingQueueDepth, now.queue],
          [kvCacheUsage, now.kv],
        ]);
        recording.metrics(now.slot, { startedAtMs: nowMs - 1, values }, nowMs);
        break;
      }
      case "restart":
        recording.endpoint({ kind: "removed", id: endpointId(`e${now.slot}`) }, nowMs);
        run.addReady(traits[now.slot] ?? {});
        break;
      case "eject":
      case "ready":
        recording.health(now.slot, now.kind === "ready", nowMs);
        break;
    }
  }
}

for (const [name, text] of Object.entries({ SINGLE, SPLIT, KV_MATCH })) {
  test(`replay: whatever happened under ${name} is decided again as it was`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (steps) => {
        const run = new RecordedRun(text);
        play(run, steps);
        const report = await replayed(run.lines());
        assert.deepEqual(report.mismatches, []);
        assert.equal(report.isReproduced, true);
        assert.equal(report.incomplete, null);
      }),
      { numRuns: 60 },
    );
  });
}

function twoEndpoints(text: string, role = "both"): RecordedRun {
  const run = new RecordedRun(text);
  run.addReady({ id: "e0", role, queue: 0, running: 0, kv: 0 });
  run.addReady({ id: "e1", role, queue: 5, running: 0, kv: 0 });
  return run;
}

test("replay: a choice that the recording does not hold is no parity", async () => {
  const run = twoEndpoints(SINGLE);
  run.serve(requestWith({ id: "r1", prompt: words("same", 100) }));
  const forged = run.lines().map((line) => line.replace('"endpoint":"e0"', '"endpoint":"e1"'));
  const report = await replayed(forged);
  assert.equal(report.isReproduced, false);
  assert.equal(report.mismatchCount, 1);
  assert.match(report.mismatches[0]?.message ?? "", /^endpoint e0 instead of e1$/);
});

test("replay: other weights move the requests that they move, and say why", async () => {
  const run = twoEndpoints(SINGLE);
  run.serve(requestWith({ id: "first", prompt: words("same", 100) }));
  run.recording.metrics(0, { startedAtMs: 2, values: new Map([[waitingQueueDepth, 9]]) }, 10);
  run.serve(requestWith({ id: "again", prompt: words("same", 100) }));
  run.serve(requestWith({ id: "fresh", prompt: words("else", 100) }));
  const report = await replayed(run.lines(), SINGLE.replace("weight: 2.0", "weight: 0.1"));
  assert.equal(report.isReproduced, true);
  const pool = onlyPool(report);
  assert.deepEqual(
    pool.changes.map(({ request, from, to }) => [request, from.endpoint, to.endpoint]),
    [["again", "e0", "e1"]],
  );
  assert.deepEqual([pool.requests, pool.changedCount, pool.movedCount], [3, 1, 1]);
  const why = pool.changes[0]?.why[0];
  assert.equal(why?.profile, "default");
  assert.deepEqual(why?.to?.scores, [
    { scorer: "prefix-cache-scorer", weighted: 0 },
    { scorer: "queue-scorer", weighted: 1 },
  ]);
  assert.deepEqual(why?.from?.scores, [
    { scorer: "prefix-cache-scorer", weighted: 0.1 },
    { scorer: "queue-scorer", weighted: 0 },
  ]);
  assert.ok(pool.before.prefixHitRatio > pool.after.prefixHitRatio);
  assert.match(effectOf(pool)[0] ?? "", /^1 of 3 requests \(33\.3 %\)/);
  assert.match(effectOf(pool).join(" "), /less of the prompts would have been found cached/);
});

test("replay: the recorded configuration beside itself changes nothing", async () => {
  const run = twoEndpoints(SINGLE);
  run.serve(requestWith({ prompt: words("same", 100) }));
  const pool = onlyPool(await replayed(run.lines(), SINGLE));
  assert.equal(pool.changedCount, 0);
  assert.deepEqual(pool.after, pool.before);
  assert.deepEqual(effectOf(pool), ["No request would have fared differently."]);
});

test("replay: a request that the other configuration refuses is told, and has no later steps", async () => {
  const run = twoEndpoints(SINGLE, "prefill");
  run.serve(requestWith({ prompt: words("same", 100) }));
  const pool = onlyPool(await replayed(run.lines(), SPLIT));
  assert.equal(pool.newlyRejectedCount, 1);
  assert.equal(pool.changes[0]?.to.rejection, "filtered-out");
  assert.match(effectOf(pool).join(" "), /endpoints do not suit this configuration/);
});

test("replay: a request that the other configuration lets in does not stay in flight", async () => {
  const run = twoEndpoints(SPLIT, "prefill");
  for (let turn = 0; turn < 4; turn++) run.serve(requestWith({ prompt: words(`p${turn}`, 100) }));
  const pool = onlyPool(await replayed(run.lines(), SINGLE));
  assert.equal(pool.before.rejectedCount, 4);
  assert.equal(pool.newlyAdmittedCount, 4);
  assert.equal(pool.after.imbalanceRequests, 0);
});

/** Stores the first blocks of a prompt, as an engine of 16-token blocks would say it. */
function stored(text: string, names: readonly (number | bigint | string)[], parent?: bigint) {
  const bytes = new TextEncoder().encode(text).slice(0, names.length * 64);
  const tokenIds = new Uint32Array(bytes.buffer);
  return {
    kind: "stored" as const,
    blockHashes: names,
    parentHash: parent,
    tokenIds,
    blockTokens: 16,
  };
}

function reporting(): RecordedRun {
  const run = twoEndpoints(KV_MATCH.replace("weight: 1.0", "weight: 0.1"));
  run.recording.kvEvents(0, [{ kind: "cleared" }], 1);
  const prompt = words("kept", 64);
  const rest = prompt.slice(128);
  run.recording.kvEvents(1, [stored(prompt, [2n ** 60n, "two"]), stored(rest, [3], 9n)], 1);
  run.recording.kvEvents(
    1,
    [stored(rest, [3], 2n ** 60n), { kind: "removed", blockHashes: [3] }],
    2,
  );
  run.serve(requestWith({ prompt }));
  return run;
}

test("replay: blocks that engines reported are matched without their tokens", async () => {
  const run = reporting();
  const [arrival] = run.inputs.filter((line) => line.kind === "arrive");
  assert.equal(arrival?.kind === "arrive" && arrival.decision.endpoint, "e1");
  assert.equal(
    run.lines().some((line) => line.includes("tokenIds")),
    false,
  );
  const report = await replayed(run.lines());
  assert.deepEqual(report.mismatches, []);
});

test("replay: without the events' chains the same request is decided otherwise", async () => {
  const lines = reporting()
    .lines()
    .map((line) => line.replace(/"chain":"[^"]+"/g, '"chain":null'));
  assert.equal((await replayed(lines)).isReproduced, false);
});

test("replay: a configuration that was changed meanwhile is changed again", async () => {
  const run = twoEndpoints(SINGLE);
  run.serve(requestWith({ prompt: words("same", 100) }));
  run.recording.metrics(0, { startedAtMs: 2, values: new Map([[waitingQueueDepth, 9]]) }, 10);
  run.recording.reconfigure(configFrom(SINGLE.replace("weight: 2.0", "weight: 0.1")));
  run.serve(requestWith({ prompt: words("same", 100) }));
  const report = await replayed(run.lines());
  assert.equal(report.isReproduced, true);
  assert.equal(onlyPool(report).reloadCount, 1);
});

test("replay: it ends where lines are missing, and says so", async () => {
  const run = twoEndpoints(SINGLE);
  run.serve(requestWith({ prompt: words("same", 100) }));
  const lines = run.lines();
  const cut = [...lines.slice(0, -1), '{"kind":"lost","count":4}', "broken"];
  const report = await replayed(cut);
  assert.equal(
    report.incomplete,
    `4 lines were lost at line ${lines.length}; the replay ends there`,
  );
  assert.equal(onlyPool(report).requests, 1);
  assert.match((await replayed(lines.slice(0, -1))).incomplete ?? "", /has no last line/);
});

const good = twoEndpoints(SINGLE).lines();
const faults: readonly { name: string; lines: readonly string[]; says: RegExp }[] = [
  { name: "an empty file", lines: [], says: /^run\.jsonl:1:1: the file is empty$/ },
  { name: "another file", lines: ["{}"], says: /^run\.jsonl:1:1: expected a header/ },
  {
    name: "another version",
    lines: good.map((line) => line.replace('"version":2', '"version":3')),
    says: /^run\.jsonl:1:1: format version 3; this program reads 2$/,
  },
  {
    name: "a line that is cut",
    lines: good.with(2, '{"kind":'),
    says: /^run\.jsonl:3:1: the line is not JSON/,
  },
  {
    name: "an unknown kind",
    lines: good.with(2, '{"kind":"nap"}'),
    says: /^run\.jsonl:3:1: kind is none of header, arrive/,
  },
  {
    name: "a member of another type",
    lines: good.with(2, '{"kind":"health","pool":"pool","atMs":1,"slot":"0","isReady":true}'),
    says: /^run\.jsonl:3:1: slot is not a whole number$/,
  },
  {
    name: "a pool that is not in the header",
    lines: good.with(2, '{"kind":"tick","pool":"lake","atMs":1}'),
    says: /^run\.jsonl:3:1: pool lake is none of pool$/,
  },
  {
    name: "a plugin that is not there",
    lines: good.map((line) => line.replace('"type":"queue-scorer"', '"type":"own-scorer"')),
    says: /plugin own-scorer is not known; name its file with --plugin/,
  },
];
for (const { name, lines, says } of faults) {
  test(`replay: ${name} is refused`, async () => {
    await assert.rejects(replayed(lines), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.match(error.message, says);
      return true;
    });
  });
}

test("replay: an input for a slot that nobody has is a mismatch, not a crash", async () => {
  const line = '{"kind":"health","pool":"pool","atMs":1,"slot":9,"isReady":true}';
  const report = await replayed(good.with(-1, line));
  assert.deepEqual(report.mismatches, [
    { line: good.length, message: "slot 9 was never given to an endpoint" },
  ]);
});

for (const [bytes, isPossible] of [
  [64, true],
  [256, true],
  [100, false],
] as const) {
  test(`replay: blocks of ${bytes} bytes ${isPossible ? "come" : "do not come"} from those of 64`, async () => {
    const run = twoEndpoints(SINGLE);
    run.serve(requestWith({ prompt: words("same", 100) }));
    run.serve(requestWith({ prompt: words("same", 100) }));
    const other = SINGLE.replace("hashBlockSize: 64", `hashBlockSize: ${bytes}`);
    const report = replayed(run.lines(), other);
    if (isPossible) assert.equal(onlyPool(await report).changedCount, 0);
    else await assert.rejects(report, /other\.yaml: it needs prompt blocks of 100 bytes/);
  });
}

test("replay: a service is found by its name, or by its namespace where names are shared", () => {
  const service = { namespace: "a", name: "m" };
  assert.equal(poolOfService(["m"], service, "f"), "m");
  assert.equal(poolOfService(["b.m", "a.m"], service, "f"), "a.m");
  assert.throws(() => poolOfService(["other"], service, "f"), /no pool of the recording/);
});
