import assert from "node:assert/strict";
import test from "node:test";
import type { EndpointTraits } from "../../../test/fixtures/endpoint-with.ts";
import {
  benchByColumn,
  parameterFaults,
  rejectionsOf,
  rejectionsOn,
} from "../../../test/fixtures/plugin-bench.ts";
import { inFlightRequests } from "../../endpoints/numeric-attribute.ts";
import { activeRequestFilter, utilizationFilter } from "./utilization.ts";

const POOL: readonly EndpointTraits[] = [
  { queue: 3, running: 10, kv: 0.9 },
  { queue: 4, running: 10, kv: 0.5 },
  { queue: 0, running: 11, kv: 0.91 },
  {},
];
const limit = (metric: string, maxValue: number) => ({ metric, maxValue });

const cases: readonly {
  name: string;
  conditions: readonly unknown[];
  fallbackOnEmpty?: boolean;
  pool?: readonly EndpointTraits[];
  dropped: readonly (readonly [number, string])[];
}[] = [
  {
    name: "a value at the limit stays, an unknown one too",
    conditions: [limit("waiting-queue", 3)],
    dropped: [[1, "waiting-queue is over 3"]],
  },
  {
    name: "the first limit that is passed is the reason",
    conditions: [limit("kv-cache-utilization", 0.9), limit("running-requests", 10)],
    dropped: [[2, "kv-cache-utilization is over 0.9"]],
  },
  {
    name: "each limit counts",
    conditions: [limit("waiting-queue", 3), limit("running-requests", 10)],
    dropped: [
      [1, "waiting-queue is over 3"],
      [2, "running-requests is over 10"],
    ],
  },
  {
    name: "everybody may be dropped",
    conditions: [limit("waiting-queue", 0)],
    pool: [{ queue: 1 }, { queue: 2 }],
    dropped: [
      [0, "waiting-queue is over 0"],
      [1, "waiting-queue is over 0"],
    ],
  },
  {
    name: "unless there is a fallback",
    conditions: [limit("waiting-queue", 0)],
    fallbackOnEmpty: true,
    pool: [{ queue: 1 }, { queue: 2 }],
    dropped: [],
  },
  {
    name: "a fallback is for all only",
    conditions: [limit("waiting-queue", 1)],
    fallbackOnEmpty: true,
    pool: [{ queue: 2 }, { queue: 1 }],
    dropped: [[0, "waiting-queue is over 1"]],
  },
  { name: "nobody to look at", conditions: [limit("waiting-queue", 0)], pool: [], dropped: [] },
];
for (const { name, conditions, fallbackOnEmpty = false, pool = POOL, dropped } of cases) {
  test(`utilization-filter: ${name}`, () => {
    const parameters = { conditions, fallbackOnEmpty };
    assert.deepEqual([...rejectionsOf(utilizationFilter, pool, { parameters })], dropped);
  });
}

for (const parameters of [
  { maxRequests: 2 },
  { conditions: [limit("active-requests", 2)], inFlightLoadProducerName: "load" },
]) {
  test(`active-request-filter: ${Object.keys(parameters)[0]} limits requests in flight`, () => {
    const bench = benchByColumn(activeRequestFilter, inFlightRequests, [0, 2, 3, Number.NaN], {
      parameters,
    });
    assert.deepEqual([...rejectionsOn(bench)], [[2, "active-requests is over 2"]]);
  });
}

test("utilization-filter: the producer that it names has to be there", () => {
  const conditions = [limit("active-requests", 2)];
  const named = utilizationFilter.configure({ conditions, inFlightLoadProducerName: "load" });
  assert.deepEqual(named.references, [
    { path: "inFlightLoadProducerName", name: "load", role: "produce" },
  ]);
  assert.deepEqual(utilizationFilter.configure({ conditions }).references, []);
});

for (const [name, filter, parameters, path, allowed] of [
  ["no conditions", utilizationFilter, {}, "conditions"],
  ["an empty list", utilizationFilter, { conditions: [] }, "conditions"],
  [
    "an unknown metric",
    utilizationFilter,
    { conditions: [limit("gpu", 1)] },
    "conditions[0].metric",
    "active-requests,running-requests,waiting-queue,kv-cache-utilization",
  ],
  [
    "a ratio over 1",
    utilizationFilter,
    { conditions: [limit("kv-cache-utilization", 1.1)] },
    "conditions[0].maxValue",
  ],
  [
    "a negative limit",
    utilizationFilter,
    { conditions: [limit("waiting-queue", -1)] },
    "conditions[0].maxValue",
  ],
  ["maxRequests of the older type", utilizationFilter, { maxRequests: 3 }, "conditions"],
  ["no limit at all", activeRequestFilter, {}, ""],
  ["maxRequests 0", activeRequestFilter, { maxRequests: 0 }, "maxRequests"],
] as const) {
  test(`${filter.type}: ${name} is a fault at ${path || "the parameters"}`, () => {
    const [fault] = parameterFaults(filter, parameters);
    assert.equal(fault?.path, path);
    assert.equal(fault?.allowed?.join(), allowed);
  });
}
