import assert from "node:assert/strict";
import test from "node:test";
import { endpointId, requestId } from "../../core/brand.ts";
import { type DispatchPlan, ROUTING_HEADERS, type Target } from "../../director/dispatch-plan.ts";
import { destinationOf, requestChange } from "./request-change.ts";

const target = (n: number, headers?: Target["headers"]): Target => ({
  slot: n,
  generation: 0,
  id: endpointId(`e${n}`),
  address: `10.0.0.${n}:8000`,
  ...(headers === undefined ? {} : { headers }),
});

const planOf = (more: Partial<DispatchPlan> = {}): DispatchPlan => ({
  primary: [target(1), target(2), target(3)],
  advertised: 1,
  prefill: [],
  encode: [],
  legs: "sidecar",
  setHeaders: new Map(),
  removeHeaders: ROUTING_HEADERS,
  edits: [],
  ...more,
});

const SENT = {
  id: requestId("r"),
  destinationHeader: "x-gateway-destination-endpoint",
  bodyBytes: 12,
};

const RANK = new Map([["x-data-parallel-host-port", "10.0.0.1:8001"]]);
const DESTINATIONS: readonly (readonly [name: string, plan: DispatchPlan, want: string])[] = [
  ["one advertised", planOf(), "10.0.0.1:8000"],
  ["two advertised", planOf({ advertised: 2 }), "10.0.0.1:8000,10.0.0.2:8000"],
  [
    "one whose headers are its own",
    planOf({ advertised: 2, primary: [target(1, RANK), target(2)] }),
    "10.0.0.1:8000",
  ],
];
for (const [name, plan, want] of DESTINATIONS) {
  test(`request-change: ${name} gives ${want}`, () => {
    assert.equal(destinationOf(plan), want);
    const { set } = requestChange({ "x-request-id": "r" }, plan, SENT);
    assert.equal(set.get("x-gateway-destination-endpoint"), want);
  });
}

test("request-change: what plugins set is set and not removed; the rest of routing is removed", () => {
  const setHeaders = new Map([["x-prefiller-host-port", "10.0.0.9:8000"]]);
  const plan = planOf({ setHeaders, primary: [target(1, RANK)] });
  const { set, remove } = requestChange({ "x-switchyard-a": "1", "x-b": "2" }, plan, SENT);
  assert.deepEqual(Object.fromEntries(set), {
    "x-prefiller-host-port": "10.0.0.9:8000",
    "x-data-parallel-host-port": "10.0.0.1:8001",
    "x-gateway-destination-endpoint": "10.0.0.1:8000",
    "content-length": "12",
    "x-request-id": "r",
  });
  const kept = new Set(set.keys());
  const want = [...ROUTING_HEADERS.filter((name) => !kept.has(name)), "x-switchyard-a"];
  assert.deepEqual(remove.toSorted(), want.toSorted());
});

test("request-change: another destination header, no body, and the client's id stays", () => {
  const sent = { ...SENT, destinationHeader: "x-mine", bodyBytes: undefined };
  const { set, remove } = requestChange({ "x-request-id": "r" }, planOf(), sent);
  assert.deepEqual([...set], [["x-mine", "10.0.0.1:8000"]]);
  assert.ok(remove.includes("x-gateway-destination-endpoint"));
});
