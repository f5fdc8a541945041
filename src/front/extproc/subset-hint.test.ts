import assert from "node:assert/strict";
import test from "node:test";
import type { JsonObject } from "@bufbuild/protobuf";
import { subsetHint } from "./subset-hint.ts";

const hint = (value: JsonObject[string]): Record<string, JsonObject> => ({
  "envoy.lb.subset_hint": { "x-gateway-destination-endpoint-subset": value },
});

type Case = readonly [
  name: string,
  metadata: Record<string, JsonObject> | undefined,
  hosts: readonly string[] | undefined,
];
const CASES: readonly Case[] = [
  ["no metadata", undefined, undefined],
  ["empty metadata", {}, undefined],
  [
    "another namespace",
    { "envoy.lb": { "x-gateway-destination-endpoint-subset": ["a:1"] } },
    undefined,
  ],
  ["no list", hint("10.0.0.1:8080"), undefined],
  ["one endpoint", hint(["10.0.0.1:8080"]), ["10.0.0.1"]],
  ["two endpoints", hint(["10.0.0.1:8080", "[fd00::3]:9090"]), ["10.0.0.1", "fd00::3"]],
  ["an empty list", hint([]), []],
  ["an item that is no text", hint(["10.0.0.1:8080", 12345, null]), ["10.0.0.1"]],
];
for (const [name, metadata, hosts] of CASES) {
  test(`subset-hint: ${name}`, () => {
    const found = subsetHint(metadata);
    assert.deepEqual(found && [...found], hosts);
  });
}
