import assert from "node:assert/strict";
import test from "node:test";
import { decided, poolWith } from "../../test/fixtures/pool-core.ts";
import { requestWith } from "../../test/fixtures/request-with.ts";
import { hostOf } from "./only-hosts.ts";

const HOSTS: readonly (readonly [address: string, host: string])[] = [
  ["10.0.0.1:8000", "10.0.0.1"],
  ["10.0.0.1", "10.0.0.1"],
  ["engine-0.pool:8000", "engine-0.pool"],
  ["[fd00::1]:8000", "fd00::1"],
  ["[fd00::1]", "fd00::1"],
  ["fd00::1", "fd00::1"],
  ["", ""],
];
for (const [address, host] of HOSTS) {
  test(`only-hosts: the host of '${address}' is '${host}'`, () => {
    assert.equal(hostOf(address), host);
  });
}

const ENDPOINTS = ["10.0.0.1:8000", "10.0.0.2:8000", "[fd00::3]:8000"].map((address) => ({
  address,
}));

const SUBSETS: readonly (readonly [hosts: readonly string[], ids: readonly string[]])[] = [
  [["10.0.0.1"], ["e0"]],
  [
    ["10.0.0.1", "fd00::3"],
    ["e0", "e2"],
  ],
  [["10.0.0.1", "192.168.1.1"], ["e0"]],
];
for (const [hosts, ids] of SUBSETS) {
  test(`only-hosts: with ${hosts.join(" and ")} the candidates are ${ids.join(" and ")}`, () => {
    const { core } = poolWith({ endpoints: ENDPOINTS });
    const { plan } = decided(core, { ...requestWith(), onlyHosts: new Set(hosts) });
    assert.deepEqual(plan.primary.map(({ id }) => id).toSorted(), ids);
  });
}

for (const hosts of [[], ["192.168.1.1"]]) {
  test(`only-hosts: with [${hosts.join()}] there is no endpoint`, () => {
    const { core } = poolWith({ endpoints: ENDPOINTS });
    const admission = core.arrive({ ...requestWith(), onlyHosts: new Set(hosts) }, 0);
    assert.equal(admission.kind === "rejected" && admission.rejection.reason, "no-endpoints");
  });
}
