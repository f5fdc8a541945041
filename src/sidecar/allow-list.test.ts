import assert from "node:assert/strict";
import { test } from "node:test";
import { AllowedAddresses, AllowList } from "./allow-list.ts";

const cases: readonly (readonly [entry: string, allowed: string, denied: readonly string[]])[] = [
  ["10.0.0.1", "10.0.0.1:8000", ["10.0.0.2:8000", "10.0.0.10:1"]],
  ["10.0.0.1:8000", "10.0.0.1:8000", ["10.0.0.1:8001"]],
  ["10.0.0.1:08000", "10.0.0.1:8000", ["10.0.0.1:8001"]],
  ["10.1.0.0/16", "10.1.255.3:1", ["10.2.0.1:1", "evil:1", "167837697:1"]],
  ["10.1.0.0/16:8000", "10.1.2.3:8000", ["10.1.2.3:9090"]],
  ["fd00::1", "[fd00:0::1]:8000", ["[fd00::2]:8000"]],
  ["[fd00::1]:8000", "[FD00::1]:8000", ["[fd00::1]:8001"]],
  ["fd00::/8", "[fd12::9]:1", ["[fe80::1]:1"]],
  ["GPU-0.pool", "gpu-0.pool.:8000", ["gpu-0:8000", "gpu-0.pool.evil:8000", "10.0.0.1:8000"]],
];
for (const [entry, allowed, denied] of cases) {
  test(`allow-list: ${entry} allows ${allowed}`, () => {
    const list = new AllowList([entry]);
    assert.deepEqual(list.faults, []);
    assert.equal(list.isAllowed(allowed), true);
    for (const other of denied) assert.equal(list.isAllowed(other), false, other);
  });
}

test("allow-list: addresses are allowed while they are there, at their ports, however they are written", () => {
  const addresses = new AllowedAddresses();
  assert.equal(addresses.isAllowed("10.0.0.1:8000"), false);
  addresses.replace(["10.0.0.1:8000", "[fd00::1]:8000", "Gpu-1.pool:08000"]);
  const allowed = ["10.0.0.1:8000", "10.0.0.1:08000", "[FD00:0::1]:8000", "gpu-1.pool.:8000"];
  for (const target of allowed) assert.equal(addresses.isAllowed(target), true, target);
  const denied = [
    "10.0.0.1:22",
    "10.0.0.2:8000",
    "[::ffff:10.0.0.1]:8000",
    "[fd00::2]:8000",
    "gpu:8000",
  ];
  for (const target of denied) assert.equal(addresses.isAllowed(target), false, target);
  addresses.replace(["10.0.0.2:8000"]);
  assert.equal(addresses.isAllowed("10.0.0.1:8000"), false);
});

test("allow-list: nothing is allowed without an entry", () => {
  assert.equal(new AllowList([]).isAllowed("127.0.0.1:80"), false);
});

const faults = [
  "",
  "http://a",
  "a:0",
  "a:65536",
  "10.0.0.0/33",
  "a/8",
  "[a]:1",
  "a b",
  "-a",
  "[::1",
];
for (const entry of faults) {
  test(`allow-list: ${JSON.stringify(entry)} is no entry`, () => {
    assert.equal(new AllowList([entry]).faults.length, 1);
  });
}
