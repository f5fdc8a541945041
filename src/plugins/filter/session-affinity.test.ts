import assert from "node:assert/strict";
import test from "node:test";
import { benchFor, rejectionsOf, rejectionsOn } from "../../../test/fixtures/plugin-bench.ts";
import { poolWith, served } from "../../../test/fixtures/pool-core.ts";
import { requestWith } from "../../../test/fixtures/request-with.ts";
import { sessionAffinityFilter } from "./session-affinity.ts";

const tokenOf = (id: string): string => Buffer.from(id).toString("base64");
const POOL = [{}, {}, {}];

for (const [name, token, dropped] of [
  ["no session", undefined, []],
  ["the bound endpoint alone is kept", tokenOf("e1"), [0, 2]],
  ["an endpoint that is no candidate", tokenOf("gone"), []],
  ["no base64", "!!", []],
  ["an empty token", "", []],
] as const) {
  test(`session-affinity-filter: ${name}`, () => {
    const headers = token === undefined ? {} : { "x-session-token": token };
    const rejections = rejectionsOf(sessionAffinityFilter, POOL, {
      request: requestWith({ headers }),
    });
    assert.deepEqual([...rejections.keys()], dropped);
  });
}

test("session-affinity-filter: nobody to keep is nobody dropped", () => {
  const request = requestWith({ headers: { "x-session-token": tokenOf("e1") } });
  assert.equal(rejectionsOn(benchFor(sessionAffinityFilter, [], { request })).size, 0);
});

test("session-affinity-filter: a session keeps its endpoint against scores, until that is gone", () => {
  const { core } = poolWith({
    plugins: [
      "single-profile-handler",
      { plugin: "session-affinity-filter", parameters: { strategy: "session_id" } },
      "queue-scorer",
      "max-score-picker",
    ],
    profiles: { default: ["session-affinity-filter", "queue-scorer", "max-score-picker"] },
    endpoints: [{ queue: 0 }, { queue: 5 }],
  });
  const request = requestWith({ headers: { "x-session-id": "s" } });
  assert.equal(served(core, request), "e0");
  core.health(0, false, 1);
  assert.equal(served(core, request, 1), "e1");
  core.health(0, true, 2);
  assert.equal(served(core, request, 2), "e1");
  assert.equal(served(core, requestWith(), 2), "e0");
});
