import assert from "node:assert/strict";
import { test } from "node:test";
import { both, diagnosticsOf, kindsOf, service } from "./check-fixture.test.ts";
import { FILE_RULES } from "./file-rules.ts";
import { PICKER_CASES } from "./picker-cases.test.ts";
import { SERVING_CASES } from "./serving-cases.test.ts";

const CASES = [...PICKER_CASES, ...SERVING_CASES];

for (const [index, [kind, bad, good, target]] of CASES.entries()) {
  test(`check: ${kind} is told where it is and not where it is not (case ${index})`, () => {
    const broken = diagnosticsOf([service(bad)], target);
    assert.deepEqual(
      broken.filter(({ rule }) => rule === "L1").map(({ message }) => message),
      [],
    );
    assert.ok(
      kindsOf(broken).includes(kind),
      `${kind} is missing in ${kindsOf(broken).join(", ")}`,
    );
    const sound = diagnosticsOf([service(good)], target);
    assert.ok(!sound.some(({ rule }) => rule === "L1"), JSON.stringify(sound[0]));
    assert.ok(!kindsOf(sound).includes(kind), JSON.stringify(sound));
  });
}

test("check: every rule about one file has a case", () => {
  const covered = new Set(CASES.map(([kind]) => kind.split(" ")[0]));
  assert.deepEqual(
    FILE_RULES.map(({ id }) => id).filter((id) => !covered.has(id)),
    [],
  );
});

test("check: a finding of a shared mapping is told once", () => {
  const shared = service(both({ env: { UCX_PROTO_INFO: "y" } }));
  assert.equal(kindsOf(diagnosticsOf([shared])).filter((kind) => kind === "E12 advice").length, 2);
});
