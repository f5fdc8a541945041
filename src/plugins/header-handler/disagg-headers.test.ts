import assert from "node:assert/strict";
import test from "node:test";
import { benchFor } from "../../../test/fixtures/plugin-bench.ts";
import { ConfigError } from "../../core/config-error.ts";
import { disaggHeadersHandler } from "./disagg-headers.ts";

const ENDPOINTS = [
  { address: "10.0.0.1:8000" },
  { address: "[::1]:8000" },
  { address: "10.0.0.3:8000" },
];

const plans: readonly {
  name: string;
  parameters?: object;
  prefill?: readonly number[];
  encode?: readonly number[];
  prefillCandidates?: number;
  want: Readonly<Record<string, string>>;
}[] = [
  { name: "a whole request gets no header", want: {} },
  {
    name: "one prefill endpoint, IPv6 in brackets",
    prefill: [1, 0],
    want: { "x-prefiller-host-port": "[::1]:8000" },
  },
  {
    name: "as many prefill endpoints as the sidecar may try",
    prefill: [1, 0, 2],
    prefillCandidates: 2,
    want: { "x-prefiller-host-port": "[::1]:8000,10.0.0.1:8000" },
  },
  {
    name: "all encode endpoints, best first",
    encode: [2, 0, 1],
    want: { "x-encoder-hosts-ports": "10.0.0.3:8000,10.0.0.1:8000,[::1]:8000" },
  },
  {
    name: "both stages under profiles of other names",
    parameters: { prefillProfile: "p", encodeProfile: "e" },
    prefill: [0],
    encode: [2],
    want: { "x-prefiller-host-port": "10.0.0.1:8000", "x-encoder-hosts-ports": "10.0.0.3:8000" },
  },
];
for (const { name, parameters, prefill = [], encode = [], prefillCandidates = 1, want } of plans) {
  test(`disagg-headers-handler: ${name}`, () => {
    const { instance, cycle } = benchFor(disaggHeadersHandler, ENDPOINTS, {
      parameters,
      prefillCandidates,
    });
    const headers = new Map<string, string>();
    const setHeader = (header: string, value: string) => void headers.set(header, value);
    instance.onPlan?.(cycle, { primary: [0], prefill, encode, setHeader });
    assert.deepEqual(Object.fromEntries(headers), want);
  });
}

test("disagg-headers-handler: an unknown parameter is a fault", () => {
  assert.throws(
    () => disaggHeadersHandler.configure({ decodeProfile: "decode" }),
    (error) => error instanceof ConfigError && error.faults[0]?.path === "decodeProfile",
  );
});
