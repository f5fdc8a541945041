import assert from "node:assert/strict";
import test from "node:test";
import { SIDECAR_FLAGS } from "../app/sidecar-flag-table.ts";
import { ConfigError } from "../core/config-error.ts";
import { readSidecarConfiguration } from "./sidecar-configuration.ts";

const read = (text: string): ReturnType<typeof readSidecarConfiguration> =>
  readSidecarConfiguration({ text, file: "s.yaml" }, SIDECAR_FLAGS);

test("sidecar-configuration: keys are flags, lists are lists, and older names count", () => {
  const { given, notes } = read(`# a comment
vllm-port: 8001
secure-proxy: false
enable-tls: [prefiller, decoder]
prefill-retry-backoff: 50ms
max-idle-conns-per-host: 9
`);
  assert.deepEqual(
    [...given],
    [
      ["model-server-port", "8001"],
      ["secure-serving", "false"],
      ["enable-tls", "prefiller,decoder"],
      ["prefill-retry-backoff", "50ms"],
      ["max-idle-conns-per-host", "9"],
    ],
  );
  assert.deepEqual(notes, [
    "max-idle-conns-per-host: idle connections are closed after 4s, however many there are",
  ]);
});

test("sidecar-configuration: an empty text gives nothing", () => {
  assert.equal(read("").given.size, 0);
});

const FAULTS: readonly (readonly [text: string, fault: string])[] = [
  ["port: 1\nports: 2", "s.yaml:2:1: ports: unknown flag; did you mean port?"],
  ["port: 99999", "s.yaml:1:1: port: must be a port, 0 to 65535"],
  ["port:\n  a: 1", "s.yaml:1:1: port: must be one value"],
  ["port:", "s.yaml:1:1: port: must be one value"],
  ["port: [1]", "s.yaml:1:1: port: must be one value"],
  ["enable-tls: [{}]", "s.yaml:1:1: enable-tls: must be a list of texts"],
  ["configuration: '{}'", "s.yaml:1:1: configuration: unknown flag"],
  ["- port", "s.yaml:1:1: must be an object of flags"],
  ["port: 1\nport: 2", "s.yaml:2:1: Map keys must be unique"],
  ["a: [", "s.yaml:1:5: "],
];
for (const [text, fault] of FAULTS) {
  test(`sidecar-configuration: ${JSON.stringify(text)} is refused at its place`, () => {
    assert.throws(
      () => read(text),
      (error) => error instanceof ConfigError && error.message.startsWith(fault),
    );
  });
}
