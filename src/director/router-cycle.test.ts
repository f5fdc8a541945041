import assert from "node:assert/strict";
import test from "node:test";
import { storeWith } from "../../test/fixtures/endpoint-with.ts";
import { requestWith } from "../../test/fixtures/request-with.ts";
import { requestAttribute } from "../plugin/request-attribute.ts";
import { RouterCycle } from "./router-cycle.ts";

const colour = requestAttribute<string>("colour");

test("router-cycle: attributes last for one request", () => {
  const cycle = new RouterCycle({ endpoints: storeWith([{}]), profiles: [], seed: 1 });
  cycle.begin(requestWith(), 1, 5);
  cycle.set(colour, "red");
  assert.equal(cycle.get(colour), "red");
  cycle.begin(requestWith(), 2, 6);
  assert.equal(cycle.get(colour), undefined);
  assert.equal(cycle.nowMs, 6);
});

test("router-cycle: two attributes of one name are two", () => {
  const cycle = new RouterCycle({ endpoints: storeWith([{}]), profiles: [], seed: 1 });
  cycle.begin(requestWith(), 1, 0);
  cycle.set(colour, "red");
  assert.equal(cycle.get(requestAttribute<string>("colour")), undefined);
});

test("router-cycle: a request is not read outside of its decision", () => {
  const cycle = new RouterCycle({ endpoints: storeWith([{}]), profiles: [], seed: 1 });
  assert.throws(() => cycle.request, /outside of a decision/);
  cycle.begin(requestWith(), 1, 0);
  cycle.end();
  assert.throws(() => cycle.request, /outside of a decision/);
});

test("router-cycle: a decision's randomness depends on seed and number alone", () => {
  const draw = (decisions: readonly number[]): number => {
    const cycle = new RouterCycle({ endpoints: storeWith([{}]), profiles: [], seed: 3 });
    let last = 0;
    for (const decision of decisions) {
      cycle.begin(requestWith(), decision, 0);
      last = cycle.rng.next();
    }
    return last;
  };
  assert.equal(draw([7]), draw([1, 2, 7]));
  assert.notEqual(draw([7]), draw([8]));
});
