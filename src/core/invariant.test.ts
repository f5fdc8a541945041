import assert from "node:assert/strict";
import test from "node:test";
import { InvariantError, invariant, unreachable } from "./invariant.ts";

for (const value of [false, undefined, null, 0, ""]) {
  test(`invariant: ${JSON.stringify(value)} stops the program with its message`, () => {
    assert.throws(
      () => invariant(value, "slot is taken"),
      (error) => error instanceof InvariantError && error.message === "slot is taken",
    );
  });
}

test("invariant: what holds passes", () => {
  assert.doesNotThrow(() => invariant("text", "never said"));
});

test("invariant: an unreachable branch names what reached it", () => {
  assert.throws(() => unreachable("encode" as never), { message: 'unreachable: "encode"' });
});
