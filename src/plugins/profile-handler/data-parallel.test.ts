import assert from "node:assert/strict";
import test from "node:test";
import { decided, poolWith } from "../../../test/fixtures/pool-core.ts";
import { requestWith } from "../../../test/fixtures/request-with.ts";
import { ConfigError } from "../../core/config-error.ts";
import { dataParallelProfileHandler } from "./data-parallel.ts";

const plans: readonly {
  address: string;
  parameters?: object;
  target: string;
}[] = [
  { address: "10.0.0.1:8003", target: "10.0.0.1:8000" },
  { address: "10.0.0.1:8000", parameters: { primaryPort: 9000 }, target: "10.0.0.1:9000" },
  { address: "[fd00::1]:8001", parameters: { primaryPort: 1 }, target: "[fd00::1]:1" },
  { address: "10.0.0.1:8000", parameters: { primaryPort: 65_535 }, target: "10.0.0.1:65535" },
];
for (const { address, parameters, target } of plans) {
  test(`data-parallel-profile-handler: rank ${address} is reached at ${target} and named`, () => {
    const { core } = poolWith({
      endpoints: [{ address }],
      plugins: [{ plugin: "data-parallel-profile-handler", parameters }, "max-score-picker"],
    });
    const { plan } = decided(core, requestWith());
    assert.deepEqual(
      plan.primary.map((chosen) => chosen.address),
      [target],
    );
    const [chosen] = plan.primary;
    assert.deepEqual([...(chosen?.headers ?? [])], [["x-data-parallel-host-port", address]]);
  });
}

test("data-parallel-profile-handler: all ranks of a host are reached at one port, one is named", () => {
  const ranks = ["10.0.0.1:8000", "10.0.0.1:8001", "10.0.0.1:8002"];
  const { core } = poolWith({
    endpoints: ranks.map((address) => ({ address })),
    plugins: ["data-parallel-profile-handler", "max-score-picker"],
  });
  const { plan } = decided(core, requestWith());
  assert.equal(plan.primary.length, 3);
  assert.ok(plan.primary.every(({ address }) => address === "10.0.0.1:8000"));
  // Each fallback names its own rank.
  for (const { slot, headers } of plan.primary) {
    assert.equal(headers?.get("x-data-parallel-host-port"), ranks[slot]);
  }
});

for (const primaryPort of [0, -10, 65_536, 8080.5, "8000"]) {
  test(`data-parallel-profile-handler: primaryPort ${JSON.stringify(primaryPort)} is a fault`, () => {
    assert.throws(
      () => dataParallelProfileHandler.configure({ primaryPort }),
      (error) => error instanceof ConfigError && error.faults[0]?.path === "primaryPort",
    );
  });
}

test("data-parallel-profile-handler: runs exactly one profile, whatever its name", () => {
  const configured = dataParallelProfileHandler.configure(undefined);
  assert.equal(configured.profilesFault(["any"]), undefined);
  assert.match(configured.profilesFault(["a", "b"]) ?? "", /exactly one profile/);
});
