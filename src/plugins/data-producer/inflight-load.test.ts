import assert from "node:assert/strict";
import test from "node:test";
import { benchFor } from "../../../test/fixtures/plugin-bench.ts";
import { decided, poolWith } from "../../../test/fixtures/pool-core.ts";
import { parseBody, requestWith } from "../../../test/fixtures/request-with.ts";
import { ConfigError } from "../../core/config-error.ts";
import { inFlightTokens } from "../../endpoints/numeric-attribute.ts";
import { expectedOutputTokens, promptTokens } from "../../plugin/request-attribute.ts";
import type { InferenceRequest } from "../../request/inference-request.ts";
import { inflightLoadProducer } from "./inflight-load.ts";

const ON = { addEstimatedOutputTokens: true };

function asking(bytes: number, maxTokens?: number): InferenceRequest {
  const limit = maxTokens === undefined ? {} : { max_tokens: maxTokens };
  const body = { model: "m", prompt: "a".repeat(bytes), ...limit };
  const parsed = parseBody(body, { path: "/v1/completions" });
  assert.ok(parsed.kind === "parsed");
  return parsed.request;
}

const cases: readonly {
  name: string;
  parameters?: object;
  bytes: number;
  maxTokens?: number;
  want: number | undefined;
}[] = [
  { name: "off unless asked for", bytes: 400, want: undefined },
  { name: "one and a half tokens for each of the prompt", parameters: ON, bytes: 400, want: 150 },
  { name: "another ratio", parameters: { ...ON, outputRatio: 0.1 }, bytes: 400, want: 10 },
  { name: "ratio 0", parameters: { ...ON, outputRatio: 0 }, bytes: 400, want: 0 },
  { name: "rounded to whole tokens", parameters: ON, bytes: 4, want: 2 },
  { name: "an empty prompt", parameters: ON, bytes: 0, want: 0 },
  {
    name: "at most the limit",
    parameters: { ...ON, maxEstimatedOutputTokens: 100 },
    bytes: 400,
    want: 100,
  },
  {
    name: "limit 0 is none",
    parameters: { ...ON, maxEstimatedOutputTokens: 0 },
    bytes: 40_000,
    want: 15_000,
  },
  { name: "at most what the client allows", parameters: ON, bytes: 400, maxTokens: 7, want: 7 },
  {
    name: "the smaller of both limits",
    parameters: { ...ON, maxEstimatedOutputTokens: 5 },
    bytes: 400,
    maxTokens: 7,
    want: 5,
  },
];
for (const { name, parameters, bytes, maxTokens, want } of cases) {
  test(`inflight-load-producer: ${name}`, () => {
    const request = asking(bytes, maxTokens);
    const { instance, cycle } = benchFor(inflightLoadProducer, [{}], { parameters, request });
    instance.produce?.(cycle);
    assert.equal(cycle.get(expectedOutputTokens), want);
    assert.equal(cycle.get(expectedOutputTokens, "inflight-load-producer"), want);
  });
}

test("inflight-load-producer: tokens of a producer stand before the estimate", () => {
  const { instance, cycle } = benchFor(inflightLoadProducer, [{}], { parameters: ON });
  cycle.set(promptTokens, 1000);
  instance.produce?.(cycle);
  assert.equal(cycle.get(expectedOutputTokens), 1500);
});

test("inflight-load-producer: the expected output weighs on the endpoint that was chosen", () => {
  const { core } = poolWith({
    plugins: [
      "single-profile-handler",
      { plugin: "inflight-load-producer", parameters: ON },
      "max-score-picker",
    ],
  });
  decided(core, requestWith({ prompt: "a".repeat(400) }));
  assert.equal(core.endpoints.column(inFlightTokens)[0], 250);
});

const faults: readonly [object, string][] = [
  [{ outputRatio: -0.1 }, "outputRatio"],
  [{ outputRatio: Number.POSITIVE_INFINITY }, "outputRatio"],
  [{ maxEstimatedOutputTokens: -1 }, "maxEstimatedOutputTokens"],
  [{ maxEstimatedOutputTokens: 1.5 }, "maxEstimatedOutputTokens"],
  [{ addEstimatedOutputTokens: "yes" }, "addEstimatedOutputTokens"],
  [{ requestTimeout: "2m" }, "requestTimeout"],
];
for (const [parameters, path] of faults) {
  test(`inflight-load-producer: ${path} ${Object.values(parameters)} is a fault`, () => {
    assert.throws(
      () => inflightLoadProducer.configure(parameters),
      (error) => error instanceof ConfigError && error.faults[0]?.path === path,
    );
  });
}
