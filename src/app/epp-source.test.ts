import assert from "node:assert/strict";
import test from "node:test";
import { ConfigError } from "../core/config-error.ts";
import { parseEppFlags } from "./epp-flags.ts";
import { type EppSource, eppSource, poolSource } from "./epp-source.ts";

const sourceOf = (...words: readonly string[]): EppSource => eppSource(parseEppFlags(words), "own");

test("epp-source: a pool, in the namespace that is named or the picker's own", () => {
  const pods = { kind: "pool", pool: { namespace: "own", name: "p", group: undefined } };
  assert.deepEqual(sourceOf("--pool-name=p"), { kind: "cluster", pods, lease: undefined });
  const group = "inference.networking.x-k8s.io";
  assert.deepEqual(sourceOf("--poolName", "p", "--poolNamespace=ns", `--pool-group=${group}`), {
    kind: "cluster",
    pods: { kind: "pool", pool: { namespace: "ns", name: "p", group } },
    lease: undefined,
  });
});

test("epp-source: the lease is llm-d's", () => {
  const source = sourceOf("--pool-name=p", "--ha-enable-leader-election");
  assert.deepEqual(source.kind === "cluster" && source.lease, {
    namespace: "own",
    name: "epp-own-p.llm-d.ai",
  });
});

test("epp-source: labels and ports stand for a pool", () => {
  const words = ["--endpoint-selector=app=llm,tier==gpu", "--endpoint-target-ports=1"];
  const source = sourceOf(...words, "--endpoint-target-ports", "2,3");
  assert.deepEqual(source.kind === "cluster" && source.pods, {
    kind: "selector",
    namespace: "own",
    shape: { selector: "app=llm,tier==gpu", ports: [1, 2, 3] },
  });
});

test("epp-source: a file wins", () => {
  assert.deepEqual(sourceOf("--endpoints=f", "--pool-name=p"), { kind: "file", file: "f" });
});

test("epp-source: a pool as namespace/name", () => {
  assert.deepEqual(poolSource("ns/p").pods, {
    kind: "pool",
    pool: { namespace: "ns", name: "p" },
  });
  for (const text of ["p", "ns/", "/p", "ns/p/q", "ns/P", "../p"]) {
    assert.throws(() => poolSource(text), ConfigError, text);
  }
});

const SELECTOR = "--endpoint-selector=app=x";
const FAULTS: readonly (readonly [words: readonly string[], message: RegExp])[] = [
  [[], /--pool-name: name the InferencePool to serve, or .*--endpoints/],
  [["--pool-name=../secrets"], /--pool-name: must be a name of Kubernetes/],
  [["--pool-name=p", "--pool-namespace=a/b"], /--pool-namespace: must be a name/],
  [["--pool-name=p", SELECTOR], /--pool-name: excludes --endpoint-selector/],
  [[SELECTOR], /--endpoint-target-ports: must be 1 to 8 different ports/],
  [[SELECTOR, "--endpoint-target-ports=1,2,3,4,5,6,7,8,9"], /1 to 8 different ports/],
  [[SELECTOR, "--endpoint-target-ports=80,80"], /1 to 8 different ports/],
  [[SELECTOR, "--endpoint-target-ports=0"], /1 to 65535/],
  [["--endpoint-selector=app", "--endpoint-target-ports=1"], /--endpoint-selector: must be labels/],
  [["--endpoints=f", "--ha-enable-leader-election"], /nothing is asked of a cluster/],
  [[SELECTOR, "--endpoint-target-ports=1", "--ha-enable-leader-election"], /lease is the pool's/],
];
for (const [words, message] of FAULTS) {
  test(`epp-source: ${words.join(" ") || "no flag"} is refused`, () => {
    assert.throws(
      () => sourceOf(...words),
      (error) => error instanceof ConfigError && message.test(error.message),
    );
  });
}
