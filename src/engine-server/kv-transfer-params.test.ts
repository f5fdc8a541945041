import assert from "node:assert/strict";
import { test } from "node:test";
import { heldParams, readKvDemand } from "./kv-transfer-params.ts";

const HELD = {
  engineId: "e",
  requestId: "r",
  host: "127.0.0.1",
  port: 5600,
  tensorParallel: 2,
  tokenCount: 40,
  blockCount: 3,
};

test("kv-transfer-params: what a holder writes is what a reader reads", () => {
  const params = JSON.parse(JSON.stringify(heldParams(HELD)));
  assert.deepEqual(params.remote_block_ids, [0, 1, 2]);
  assert.deepEqual(readKvDemand(params), {
    kind: "load",
    source: { host: "127.0.0.1", port: 5600, requestId: "r", tokenCount: 40 },
  });
});

test("kv-transfer-params: what asks for nothing or not enough is told apart", () => {
  const load = {
    do_remote_prefill: true,
    remote_host: "h",
    remote_port: 1,
    remote_request_id: "r",
  };
  const cases: readonly [unknown, string][] = [
    [undefined, "none"],
    [null, "none"],
    ["x", "none"],
    [{}, "none"],
    [{ do_remote_decode: true }, "hold"],
    [load, "load"],
    [{ ...load, do_remote_prefill: false }, "none"],
    [{ ...load, remote_host: null }, "incomplete"],
    [{ ...load, remote_host: "a/b@c" }, "incomplete"],
    [{ ...load, remote_port: 70_000 }, "incomplete"],
    [{ ...load, remote_port: "80" }, "incomplete"],
    [{ ...load, remote_request_id: "" }, "incomplete"],
    [{ ...load, remote_request_id: "r".repeat(257) }, "incomplete"],
  ];
  for (const [raw, kind] of cases) assert.equal(readKvDemand(raw).kind, kind, JSON.stringify(raw));
});
