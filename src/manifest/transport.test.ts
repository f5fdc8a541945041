import assert from "node:assert/strict";
import { test } from "node:test";
import { transportOf } from "./transport.ts";

const SEED = "rc,sm,self,cuda_copy,cuda_ipc,gdr_copy";
const NO_DEVICE = /allows RDMA but no tcp, and the pool has no rdma\/\* resource/;
const NO_NETWORK = /no transport between hosts/;

const CASES: readonly (readonly [
  ucxTls: string | undefined,
  hasRdmaDevice: boolean,
  kind: "rdma" | "tcp" | "none",
  reason?: RegExp,
])[] = [
  [SEED, true, "rdma"],
  [SEED, false, "none", NO_DEVICE],
  [SEED.replace("rc", "tcp"), true, "tcp"],
  [SEED.replace("rc", "tcp"), false, "tcp"],
  [SEED.replace("rc,", ""), true, "none", NO_NETWORK],
  [SEED.replace("rc,", ""), false, "none", NO_NETWORK],
  [undefined, true, "rdma"],
  [undefined, false, "tcp"],
  ["", false, "tcp"],
  ["all", true, "rdma"],
  ["all", false, "tcp"],
  ["rc,tcp", true, "rdma"],
  ["rc,tcp", false, "tcp"],
  [" rc_x , sm ", true, "rdma"],
  ["rc_v", true, "rdma"],
  ["ud", true, "rdma"],
  ["dc", true, "rdma"],
  ["ib", true, "rdma"],
  ["ib", false, "none", NO_DEVICE],
  ["^rc", true, "rdma"],
  ["^ib", true, "tcp"],
  ["^rc,ud,dc", true, "tcp"],
  ["^rc_x,tcp", true, "rdma"],
  ["^ib,tcp", true, "none", NO_NETWORK],
  ["^tcp", false, "none", NO_DEVICE],
  ["^all", true, "none", NO_NETWORK],
  ["rcx", true, "none", NO_NETWORK],
];

for (const [ucxTls, hasRdmaDevice, kind, reason] of CASES) {
  test(`transport: UCX_TLS ${ucxTls} ${hasRdmaDevice ? "with" : "without"} device is ${kind}`, () => {
    const transport = transportOf({ ucxTls, hasRdmaDevice });
    assert.equal(transport.kind, kind);
    assert.equal(transport.ucxTls, ucxTls?.trim() || "all");
    if (transport.kind === "none") assert.match(transport.reason, reason ?? /^$/);
  });
}
