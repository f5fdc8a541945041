import assert from "node:assert/strict";
import test from "node:test";
import { eventually } from "../../test/fixtures/eventually.ts";
import { apiOf, keepingPorts } from "../../test/fixtures/kube-client.ts";
import { PATHS } from "../../test/fixtures/kube-objects.ts";
import { KubeServer } from "../../test/fixtures/kube-server.ts";
import { type Election, type ElectionPace, startElection } from "./leader-election.ts";

const PACE: ElectionPace = { leaseMs: 3000, renewDeadlineMs: 2000, retryMs: 50 };

interface LeaseSpec {
  readonly holderIdentity: string;
  readonly leaseTransitions: number;
  readonly renewTime: string;
}

function candidate(server: KubeServer, identity: string, pace = PACE) {
  const { lines, log } = keepingPorts();
  const name = "epp-ns-p.llm-d.ai";
  const election = startElection({
    api: apiOf(server),
    namespace: "ns",
    name,
    identity,
    pace,
    log,
  });
  return { election, lines };
}

const leaseOf = (server: KubeServer) =>
  server.object(PATHS.leases, "epp-ns-p.llm-d.ai")?.["spec"] as LeaseSpec | undefined;

async function leaderAmong(candidates: readonly Election[]): Promise<Election> {
  await eventually(() => candidates.some((one) => one.isLeading()));
  const leaders = candidates.filter((one) => one.isLeading());
  assert.equal(leaders.length, 1);
  return leaders[0] as Election;
}

test("leader-election: one of several leads, and the next takes over when it gives up", async () => {
  await using server = await KubeServer.start();
  server.serve(PATHS.leases);
  const candidates = ["a", "b", "c"].map((identity) => candidate(server, identity).election);
  const first = await leaderAmong(candidates);
  const holder = leaseOf(server)?.holderIdentity;
  const renewed = leaseOf(server)?.renewTime;
  await eventually(() => leaseOf(server)?.renewTime !== renewed);
  assert.equal(leaseOf(server)?.holderIdentity, holder);
  await first.close();
  assert.ok(!first.isLeading());
  const others = candidates.filter((one) => one !== first);
  const second = await leaderAmong(others);
  assert.equal(leaseOf(server)?.leaseTransitions, 1);
  for (const one of others) await one.close();
  assert.ok(!second.isLeading());
  assert.equal(leaseOf(server)?.holderIdentity, "");
});

test("leader-election: a lease of one that is gone is taken after its duration, whatever its times say", async () => {
  await using server = await KubeServer.start();
  const spec = {
    holderIdentity: "gone",
    leaseDurationSeconds: 1,
    renewTime: "2999-01-01T00:00:00.000000Z",
    leaseTransitions: 4,
  };
  const metadata = { name: "epp-ns-p.llm-d.ai", namespace: "ns" };
  server.put(PATHS.leases, { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata, spec });
  const startMs = performance.now();
  const { election } = candidate(server, "b");
  await eventually(() => election.isLeading());
  assert.ok(performance.now() - startMs >= 1000, "not before it has run out");
  assert.equal(leaseOf(server)?.leaseTransitions, 5);
  await election.close();
});

test("leader-election: who cannot renew leads no more before another may", async () => {
  await using server = await KubeServer.start();
  server.serve(PATHS.leases);
  const { election, lines } = candidate(server, "a");
  await eventually(() => election.isLeading());
  const before = lines.length;
  await server.away();
  await eventually(() => !election.isLeading());
  await eventually(() => lines.some((line) => line.startsWith("lease-lost")));
  // A slow renewal may have failed before; the outage itself is told once.
  assert.ok(lines.some((line) => line.startsWith("lease-failed")));
  const outage = lines.slice(before).filter((line) => line.startsWith("lease-failed"));
  assert.ok(outage.length <= 1);
  await server.open();
  await eventually(() => election.isLeading());
  await election.close();
});

test("leader-election: of two that write at once one leads", async () => {
  await using server = await KubeServer.start();
  server.serve(PATHS.leases);
  const metadata = { name: "epp-ns-p.llm-d.ai", namespace: "ns" };
  const spec = { holderIdentity: "", leaseTransitions: 0 };
  server.put(PATHS.leases, { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata, spec });
  const both = Promise.withResolvers<void>();
  let writes = 0;
  server.trouble = ({ method }) => {
    if (method !== "PUT") return undefined;
    if (++writes === 2) both.resolve();
    return { waitFor: both.promise };
  };
  const candidates = [candidate(server, "a").election, candidate(server, "b").election];
  await leaderAmong(candidates);
  const reads = server.requests.length;
  await eventually(() => server.requests.length >= reads + 8);
  assert.equal(candidates.filter((one) => one.isLeading()).length, 1);
  assert.equal(leaseOf(server)?.leaseTransitions, 1);
  for (const one of candidates) await one.close();
});

test("leader-election: a lease that is given to another by hand is lost at once", async () => {
  await using server = await KubeServer.start();
  server.serve(PATHS.leases);
  const pace = { leaseMs: 90_000, renewDeadlineMs: 60_000, retryMs: 50 };
  const { election } = candidate(server, "a", pace);
  await eventually(() => election.isLeading());
  const metadata = { name: "epp-ns-p.llm-d.ai", namespace: "ns" };
  const spec = { holderIdentity: "b", leaseDurationSeconds: 90, leaseTransitions: 1 };
  server.put(PATHS.leases, { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata, spec });
  await eventually(() => !election.isLeading());
  await election.close();
  assert.equal(leaseOf(server)?.holderIdentity, "b");
});

test("leader-election: a refusal is told once", async () => {
  await using server = await KubeServer.start();
  server.trouble = () => ({ status: 403 });
  const { election, lines } = candidate(server, "a");
  await eventually(() => server.requests.length >= 4);
  assert.ok(!election.isLeading());
  assert.deepEqual(
    lines.map((line) => line.split(" ", 1)[0]),
    ["lease-failed"],
  );
  await election.close();
});
