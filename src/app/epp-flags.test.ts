import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { ConfigError } from "../core/config-error.ts";
import { durationMs } from "../core/duration.ts";
import { loadService } from "../manifest/load-service.ts";
import { EPP_FLAGS } from "./epp-flag-table.ts";
import { parseEppFlags } from "./epp-flags.ts";
import { quantityBytes } from "./flag-values.ts";
import { builtinRegistry } from "./plugin-registry.ts";

for (const file of ["examples/gpt-oss-20b.yaml", "examples/qwen-pd.yaml"]) {
  test(`epp-flags: the arguments of ${file} are understood`, () => {
    const text = readFileSync(new URL(`../../${file}`, import.meta.url), "utf8");
    const { picker, name } = loadService({ text, file, registry: builtinRegistry() });
    const { given } = parseEppFlags([...picker.arguments, "--configText", picker.text]);
    assert.equal(given.get("pool-name"), `${name}-inference-pool`);
    assert.equal(given.get("grpc-port"), "9002");
    assert.equal(given.get("grpc-health-port"), "9003");
    assert.equal(given.get("secure-serving"), "true");
    assert.equal(given.get("model-server-metrics-scheme"), "https");
    assert.equal(given.get("model-server-metrics-https-insecure-skip-verify"), "true");
    assert.equal(given.get("cert-path"), "/etc/ssl/certs");
    assert.equal(given.get("config-text"), picker.text);
    assert.equal(given.get("v"), "4");
  });
}

const SAME: readonly (readonly string[])[] = [
  ["--grpc-port", "1"],
  ["--grpc-port=1"],
  ["-grpc-port", "1"],
  ["-grpcPort=1"],
  ["--grpcPort", "1"],
  ["--grpc-port=2", "--grpcPort=1"],
];
for (const words of SAME) {
  test(`epp-flags: ${words.join(" ")} is a port`, () => {
    assert.deepEqual([...parseEppFlags(words).given], [["grpc-port", "1"]]);
  });
}

test("epp-flags: a switch takes its value with = only", () => {
  const { given } = parseEppFlags(["--secure-serving", "--health-checking=false", "--tracing=0"]);
  assert.deepEqual(
    [...given],
    [
      ["secure-serving", "true"],
      ["health-checking", "false"],
      ["tracing", "0"],
    ],
  );
});

test("epp-flags: the hint's namespace may be empty, and begin with a capital", () => {
  const { given } = parseEppFlags(["--DestinationEndpointHintMetadataNamespace="]);
  assert.equal(given.get("destination-endpoint-hint-metadata-namespace"), "");
});

test("epp-flags: limits of the router are flags", () => {
  assert.deepEqual(parseEppFlags(["--body-bytes-max", "5"]).limits, { bodyBytesMax: 5 });
});

test("epp-flags: what is accepted without effect is named", () => {
  const { notes } = parseEppFlags([
    "--enable-grpc-stream-metrics",
    "--enable-pprof",
    "--tracing=false",
    "-v=2",
  ]);
  assert.deepEqual(
    notes.map((note) => note.split(":", 1)[0]),
    ["--enable-grpc-stream-metrics", "--enable-pprof"],
  );
});

const FAULTS: readonly (readonly [words: readonly string[], message: RegExp])[] = [
  [["--no-such-flag"], /--no-such-flag: unknown flag/],
  [["stray"], /"stray" is no flag/],
  [["--grpc-port"], /--grpc-port: needs a value/],
  [["--grpc-port=65536"], /must be a port/],
  [["--secure-serving=maybe"], /must be true or false/],
  [["--drain-timeout=5"], /must be a duration/],
  [["--grpc-max-recv-msg-size=big"], /must be a size/],
  [["--pool-group=example.com"], /must be inference\.networking\.k8s\.io or/],
  [["--metrics-endpoint-auth"], /cluster is not asked/],
  [["--tls-min-version=VersionTLS10"], /VersionTLS12/],
  [["--total-queued-requests-metric=sglang:queue"], /vllm:num_requests_waiting/],
  [["--model-server-metrics-scheme=ftp"], /http or https/],
];
for (const [words, message] of FAULTS) {
  test(`epp-flags: ${words.join(" ")} is refused`, () => {
    assert.throws(
      () => parseEppFlags(words),
      (error) => error instanceof ConfigError && message.test(error.message),
    );
  });
}

test("epp-flags: every fault is told at once", () => {
  assert.throws(
    () => parseEppFlags(["--x", "--y", "z"]),
    (error) => error instanceof ConfigError && error.faults.length === 2,
  );
});

test("epp-flags: no flag stands twice in the table", () => {
  assert.equal(new Set(EPP_FLAGS.map(({ name }) => name)).size, EPP_FLAGS.length);
});

test("epp-flags: durations and sizes are read as Go and Kubernetes write them", () => {
  for (const [text, ms] of [
    ["50ms", 50],
    ["1m30s", 90_000],
    ["1.5s", 1500],
    ["0", 0],
    ["5", undefined],
    ["-1s", undefined],
    ["", undefined],
  ] as const) {
    assert.equal(durationMs(text), ms, text);
  }
  for (const [text, bytes] of [
    ["4Mi", 4 << 20],
    ["4MiB", 4 << 20],
    ["1000", 1000],
    ["2k", 2000],
    ["x", undefined],
    ["", undefined],
  ] as const) {
    assert.equal(quantityBytes(text), bytes, text);
  }
});
