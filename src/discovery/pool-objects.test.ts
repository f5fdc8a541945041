import assert from "node:assert/strict";
import test from "node:test";
import { eventually } from "../../test/fixtures/eventually.ts";
import { apiOf, keepingPorts } from "../../test/fixtures/kube-client.ts";
import { objective, PATHS, rewrite } from "../../test/fixtures/kube-objects.ts";
import { KubeServer } from "../../test/fixtures/kube-server.ts";
import { type FollowedObjects, type FoundObjects, followObjects } from "./pool-objects.ts";

interface Following extends AsyncDisposable {
  readonly objects: FollowedObjects;
  readonly lines: readonly string[];
  toldCount(): number;
  /** `name priority` of objectives and `name from→to` of rewrites. */
  now(): string;
}

function follow(server: KubeServer): Following {
  const { lines, log, meter } = keepingPorts();
  let toldCount = 0;
  let found: FoundObjects = { objectives: [], rewrites: [] };
  const objects = followObjects({
    api: apiOf(server),
    pool: { namespace: "ns", name: "p", group: "inference.networking.k8s.io" },
    changed(next) {
      found = next;
      toldCount++;
    },
    log,
    meter,
  });
  return {
    objects,
    lines,
    toldCount: () => toldCount,
    now: () =>
      [
        ...found.objectives.map(({ name, priority }) => `${name} ${priority}`),
        ...found.rewrites.map(({ name, rules }) =>
          rules.map((rule) => `${name} ${rule.matches}→${rule.targets[0]?.model}`).join(),
        ),
      ].join(),
    [Symbol.asyncDispose]: () => objects.close(),
  };
}

test("pool-objects: those of the pool come, change and go, the oldest rewrite first", async () => {
  await using server = await KubeServer.start();
  server.put(PATHS.objectives, objective("high", "p", 10));
  server.put(PATHS.objectives, objective("plain", "p", undefined));
  server.put(PATHS.objectives, objective("foreign", "q", 7));
  const young = { from: "m", to: "y", pool: "p", created: "2026-02-01T00:00:00Z" };
  server.put(PATHS.rewrites, rewrite("young", young));
  server.put(PATHS.rewrites, rewrite("old", { from: "m", to: "o", pool: "p" }));
  await using following = follow(server);
  await eventually(() => following.now() === "high 10,plain 0,old m→o,young m→y");
  server.put(PATHS.objectives, objective("high", "p", 11));
  server.remove(PATHS.rewrites, "old");
  await eventually(() => following.now() === "high 11,plain 0,young m→y");
  const before = following.toldCount();
  server.put(PATHS.objectives, objective("foreign", "q", 8));
  server.put(PATHS.rewrites, rewrite("young", { ...young, to: "z" }));
  await eventually(() => following.now() === "high 11,plain 0,young m→z");
  assert.equal(following.toldCount(), before + 1, "another pool's objects are no news");
});

for (const [group, isOwn] of [
  ["inference.networking.k8s.io", true],
  ["llm-d.ai", true],
  ["", true],
  ["inference.networking.x-k8s.io", false],
  ["example.com", false],
] as const) {
  test(`pool-objects: a reference to the group "${group}" is ${isOwn ? "" : "not "}to the pool`, async () => {
    await using server = await KubeServer.start();
    server.serve(PATHS.objectives);
    server.put(PATHS.rewrites, rewrite("r", { from: "a", to: "b", pool: "p", group }));
    await using following = follow(server);
    await eventually(() => following.objects.isSynced());
    assert.equal(following.now(), isOwn ? "r a→b" : "");
  });
}

test("pool-objects: where both groups are served the older one is not followed", async () => {
  await using server = await KubeServer.start();
  const apiVersion = "inference.networking.x-k8s.io/v1alpha2";
  server.serve(PATHS.objectives);
  server.serve(PATHS.rewrites);
  server.put(PATHS.oldObjectives, { ...objective("o", "p", 1), apiVersion });
  server.put(PATHS.oldRewrites, rewrite("r", { from: "a", to: "b", pool: "p", apiVersion }));
  await using following = follow(server);
  await eventually(() => following.objects.isSynced());
  assert.equal(following.now(), "");
  assert.ok(server.requests.every(({ path }) => path.includes("/llm-d.ai/")));
});

test("pool-objects: the older group alone is followed, and a kind that is not served is left out", async () => {
  await using server = await KubeServer.start();
  const apiVersion = "inference.networking.x-k8s.io/v1alpha2";
  server.put(PATHS.oldRewrites, rewrite("r", { from: "a", to: "b", pool: "p", apiVersion }));
  await using following = follow(server);
  await eventually(() => following.objects.isSynced());
  await eventually(() => following.now() === "r a→b");
  const absent = following.lines.filter((line) => line.startsWith("resource-absent"));
  assert.equal(absent.length, 1);
  assert.match(absent[0] ?? "", /inferenceobjectives/);
});

test("pool-objects: an object that cannot be read leaves what was known of it", async () => {
  await using server = await KubeServer.start();
  server.serve(PATHS.rewrites);
  server.put(PATHS.objectives, objective("high", "p", 10));
  await using following = follow(server);
  await eventually(() => following.now() === "high 10");
  const metadata = { name: "high", namespace: "ns", resourceVersion: "900" };
  const object = { kind: "InferenceObjective", metadata, spec: { priority: "much" } };
  await eventually(() => server.watchCount(PATHS.objectives) === 1);
  server.say(PATHS.objectives, `${JSON.stringify({ type: "MODIFIED", object })}\n`);
  await eventually(() => following.lines.some((line) => line.startsWith("object-skipped")));
  assert.equal(following.now(), "high 10");
});
