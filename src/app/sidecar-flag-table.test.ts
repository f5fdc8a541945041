import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { ConfigError } from "../core/config-error.ts";
import { readFlags } from "./read-flags.ts";
import { isStageOn, SIDECAR_FLAGS, SIDECAR_VARIABLES } from "./sidecar-flag-table.ts";

const read = (...words: string[]): ReturnType<typeof readFlags> =>
  readFlags(words, { command: "sidecar", specs: SIDECAR_FLAGS });
const names = new Set(SIDECAR_FLAGS.map(({ name }) => name));

test("sidecar-flags: no flag stands twice, and aliases and variables lead to flags", () => {
  assert.equal(names.size, SIDECAR_FLAGS.length);
  const targets = SIDECAR_FLAGS.flatMap(({ aliasOf }) => aliasOf ?? []);
  for (const name of [...targets, ...SIDECAR_VARIABLES.map(({ flag }) => flag)]) {
    assert.ok(names.has(name), name);
  }
});

test("sidecar-flags: the page names only flags that exist", () => {
  const page = readFileSync(new URL("../../docs/sidecar.md", import.meta.url), "utf8");
  const serve = ["pd", "prefill-timeout-ms", "prefill-candidates"];
  const engine = ["model", "kv-connector"];
  const known = new Set([...names, ...serve, ...engine, "help"]);
  const named = Array.from(page.matchAll(/--([a-z][a-z0-9-]+)/g), ([, name = ""]) => name);
  assert.ok(named.length > 30);
  assert.deepEqual(
    named.filter((name) => !known.has(name)),
    [],
  );
});

test("sidecar-flags: older names give the value of today's", () => {
  const { given } = read("-vllm-port=8001", "--connector", "sglang", "--secure-proxy=false");
  assert.deepEqual(
    [...given],
    [
      ["model-server-port", "8001"],
      ["kv-connector", "sglang"],
      ["secure-serving", "false"],
    ],
  );
});

test("sidecar-flags: lists gather what is repeated, and the older switches add to them", () => {
  const { given } = read("--enable-tls=prefiller", "--enable-tls", "encoder", "--decoder-use-tls");
  assert.equal(given.get("enable-tls"), "prefiller,encoder");
  const flags = { list: "enable-tls", older: "use-tls" };
  assert.equal(isStageOn(given, "prefiller", flags), true);
  assert.equal(isStageOn(given, "decoder", flags), true);
  assert.equal(isStageOn(read("--decoder-use-tls=false").given, "decoder", flags), false);
});

const IDLE = ["--max-idle-conns-per-host=9", "--moriio-dp-size=1", "--zap-devel", "--tracing"];
for (const word of IDLE) {
  test(`sidecar-flags: ${word} is accepted and named`, () => {
    assert.equal(read(word).notes.length, 1);
  });
}

const FAULTS: readonly (readonly [word: string, message: RegExp])[] = [
  ["--enable-tls=prefill", /must be one of prefiller, decoder, encoder/],
  ["--connector=nixlv1", /must be one of nixlv2/],
  ["--prefill-fallback=none", /must be one of decode, error/],
  ["--prefill-max-retries=101", /from 0 to 100/],
  ["--prefill-timeout=25h", /at most 24h/],
  ["--data-parallel-size=257", /from 1 to 256/],
  ["--enable-p2p-pull", /not fetched from peers/],
  ["--moriio-write-mode", /MoRI-IO/],
  ["--tls-min-version=VersionTLS11", /VersionTLS12/],
  [
    "--tls-cipher-suites=TLS_RSA_WITH_RC4_128_SHA",
    /RC4_128_SHA is not offered; known are TLS_ECDHE/,
  ],
  ["--pool-group=example.com", /must be inference\.networking\.k8s\.io or/],
];
for (const [word, message] of FAULTS) {
  test(`sidecar-flags: ${word} is refused`, () => {
    assert.throws(
      () => read(word),
      (error) => error instanceof ConfigError && message.test(error.message),
    );
  });
}
