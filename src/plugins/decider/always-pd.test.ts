import assert from "node:assert/strict";
import test from "node:test";
import { benchFor } from "../../../test/fixtures/plugin-bench.ts";
import { requestWith } from "../../../test/fixtures/request-with.ts";
import { alwaysDisaggPdDecider } from "./always-pd.ts";

for (const prompt of ["", "a", "a".repeat(100_000)]) {
  test(`always-disagg-pd-decider: a prompt of ${prompt.length} bytes is split`, () => {
    const { instance, cycle } = benchFor(alwaysDisaggPdDecider, [{}], {
      request: requestWith({ prompt }),
    });
    assert.equal(instance.decide?.(cycle, 0), true);
  });
}
