import assert from "node:assert/strict";
import test from "node:test";
import { benchFor } from "../../../test/fixtures/plugin-bench.ts";
import { requestWith } from "../../../test/fixtures/request-with.ts";
import { requestedStage } from "../../plugin/request-attribute.ts";
import { prefillHeaderHandler } from "./prefill-header.ts";

const ENDPOINTS = [
  { address: "10.0.0.1:8000" },
  { address: "[::1]:8001" },
  { address: "10.0.0.3:8000" },
];

const stages: readonly [header: string | undefined, want: string | undefined][] = [
  [undefined, undefined],
  ["true", "prefill"],
  ["TRUE", "prefill"],
  ["false", "decode"],
  ["False", "decode"],
];
for (const [header, want] of stages) {
  test(`prefill-header-handler: X-Prefill ${header} asks for ${want}`, () => {
    const { instance, cycle } = benchFor(prefillHeaderHandler, ENDPOINTS);
    const headers = header === undefined ? {} : { "x-prefill": header };
    instance.onRequest?.(requestWith({ headers }), cycle);
    assert.equal(cycle.get(requestedStage), want);
  });
}

const plans: readonly {
  name: string;
  prefill: readonly number[];
  prefillCandidates: number;
  want: readonly (readonly [string, string])[];
}[] = [
  { name: "a whole request gets no header", prefill: [], prefillCandidates: 2, want: [] },
  {
    name: "one candidate is one host and port",
    prefill: [1, 0, 2],
    prefillCandidates: 1,
    want: [["x-prefiller-host-port", "[::1]:8001"]],
  },
  {
    name: "several are a list, best first",
    prefill: [2, 0, 1],
    prefillCandidates: 2,
    want: [["x-prefiller-host-port", "10.0.0.3:8000,10.0.0.1:8000"]],
  },
  {
    name: "fewer than allowed are all listed",
    prefill: [0],
    prefillCandidates: 5,
    want: [["x-prefiller-host-port", "10.0.0.1:8000"]],
  },
];
for (const { name, prefill, prefillCandidates, want } of plans) {
  test(`prefill-header-handler: ${name}`, () => {
    const { instance, cycle } = benchFor(prefillHeaderHandler, ENDPOINTS, { prefillCandidates });
    const headers: [string, string][] = [];
    const setHeader = (header: string, value: string) => void headers.push([header, value]);
    instance.onPlan?.(cycle, { primary: [0], prefill, encode: [], setHeader });
    assert.deepEqual(headers, want);
  });
}
