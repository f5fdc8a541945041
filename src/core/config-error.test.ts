import assert from "node:assert/strict";
import test from "node:test";
import { ConfigError, type ConfigFault, describeFault } from "./config-error.ts";

const position = { file: "a.yaml", line: 3, column: 7 };
const cases: readonly { name: string; fault: ConfigFault; want: string }[] = [
  {
    name: "all there is",
    fault: { path: "plugins[0].type", message: "unknown type", allowed: ["a", "b"], position },
    want: "a.yaml:3:7: plugins[0].type: unknown type (allowed: a, b)",
  },
  { name: "the whole file", fault: { path: "", message: "is empty" }, want: "is empty" },
  {
    name: "a path without position",
    fault: { path: "kind", message: "missing" },
    want: "kind: missing",
  },
  {
    name: "a position without path",
    fault: { path: "", message: "not YAML", position },
    want: "a.yaml:3:7: not YAML",
  },
];
for (const { name, fault, want } of cases) {
  test(`config-error: ${name} is described as compilers do`, () => {
    assert.equal(describeFault(fault), want);
  });
}

test("config-error: the message lists every fault", () => {
  const faults = [
    { path: "a", message: "one" },
    { path: "b", message: "two" },
  ];
  const error = new ConfigError(faults);
  assert.equal(error.message, "a: one\nb: two");
  assert.equal(error.name, "ConfigError");
  assert.deepEqual(error.faults, faults);
});
