import assert from "node:assert/strict";
import test from "node:test";
import { pluginOf } from "../../test/fixtures/plugin-of.ts";
import { createRegistry } from "./registry.ts";

test("registry: finds definitions by type, in the order of the list", () => {
  const [a, b] = [pluginOf("a", {}), pluginOf("b", {})];
  const registry = createRegistry([b, a]);
  assert.deepEqual(registry.types, ["b", "a"]);
  assert.equal(registry.find("a"), a);
  assert.equal(registry.find("c"), undefined);
});

test("registry: two definitions of one type are a programmer's error", () => {
  assert.throws(() => createRegistry([pluginOf("a", {}), pluginOf("a", {})]), {
    message: "two plugins of type a",
  });
});
