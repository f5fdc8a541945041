import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { MODULE_PATH, moduleText } from "../wasm/build-module.ts";

test("wasm: what is compiled from the sources is what is checked in", async () => {
  assert.equal(readFileSync(MODULE_PATH, "utf8"), await moduleText());
});
