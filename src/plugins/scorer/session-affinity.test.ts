import assert from "node:assert/strict";
import test from "node:test";
import { parameterFaults, scoresFor } from "../../../test/fixtures/plugin-bench.ts";
import {
  blueprintOf,
  completed,
  decided,
  type PluginUse,
  type ProfileUses,
  poolWith,
  served,
  type TestPool,
} from "../../../test/fixtures/pool-core.ts";
import { requestWith } from "../../../test/fixtures/request-with.ts";
import { sessionAffinityScorer } from "./session-affinity.ts";

const tokenOf = (id: string): string => Buffer.from(id).toString("base64");
const withHeader = (name: string, value: string) => requestWith({ headers: { [name]: value } });

const sessionPlugins = (parameters: object): readonly PluginUse[] => [
  "single-profile-handler",
  { plugin: "session-affinity-scorer", parameters },
  { plugin: "session-id-producer", parameters: { headerName: "x-agent" } },
  "queue-scorer",
  "max-score-picker",
];
const SESSION_PROFILES: ProfileUses = {
  default: [["session-affinity-scorer", 5], "queue-scorer", "max-score-picker"],
};
const sessionBlueprint = (parameters: object) =>
  blueprintOf(sessionPlugins(parameters), SESSION_PROFILES);

/** Without a session the shorter queue of the first wins; affinity outweighs it. */
function sessionPool(
  parameters: object,
  [first, second]: readonly [string, string] = ["e0", "e1"],
): TestPool {
  return poolWith({
    plugins: sessionPlugins(parameters),
    profiles: SESSION_PROFILES,
    endpoints: [
      { id: first, queue: 0 },
      { id: second, queue: 5 },
    ],
  });
}

for (const [name, headers, want] of [
  ["the endpoint of the token is 1", { "x-session-token": tokenOf("e1") }, [0, 1, 0]],
  ["no token", {}, [0, 0, 0]],
  ["another header is not looked at", { "x-session": tokenOf("e1") }, [0, 0, 0]],
  ["a token that is no base64", { "x-session-token": "e1" }, [0, 0, 0]],
  ["a token cut short", { "x-session-token": tokenOf("e1").slice(0, -1) }, [0, 0, 0]],
  ["a token of bytes that are no text", { "x-session-token": "//8=" }, [0, 0, 0]],
  [
    "trap 29: an earlier identity of the endpoint",
    { "x-session-token": tokenOf("ns/e1") },
    [0, 0, 0],
  ],
] as const) {
  test(`session-affinity-scorer: ${name}`, () => {
    const request = requestWith({ headers });
    assert.deepEqual(scoresFor(sessionAffinityScorer, [{}, {}, {}], { request }), want);
    assert.deepEqual(scoresFor(sessionAffinityScorer, [], { request }), []);
  });
}

test("session-affinity-scorer: the answer names the endpoint that served, and the token leads back", () => {
  const { core } = sessionPool({}, ["default/ä-rank-0", "default/ä-rank-1"]);
  const { plan, decision } = decided(core, requestWith());
  const [failed] = plan.primary;
  assert.ok(failed);
  assert.equal(core.retry(decision, failed, 0)?.id, "default/ä-rank-1");
  const token = core.responseHeaders(decision).get("x-session-token") ?? "";
  assert.equal(token, tokenOf("default/ä-rank-1"));
  core.end(decision, "completed", completed, 0);
  assert.equal(served(core, withHeader("x-session-token", token)), "default/ä-rank-1");
});

test("session-affinity-scorer: the header has the configured name", () => {
  const { core } = sessionPool({ encodedEndpointHeaderConfig: { header: "X-Mine" } });
  const { decision } = decided(core, requestWith());
  assert.deepEqual([...core.responseHeaders(decision)], [["x-mine", tokenOf("e0")]]);
  core.end(decision, "completed", completed, 0);
  assert.equal(served(core, withHeader("x-mine", tokenOf("e1"))), "e1");
});

test("session-affinity-scorer: with a profile, the token is of that profile's endpoint or not there", () => {
  const { core } = poolWith({
    plugins: [
      { plugin: "pd-profile-handler", parameters: { threshold: 100 } },
      {
        plugin: "session-affinity-scorer",
        parameters: { profileName: "prefill", encodedEndpointHeaderConfig: { header: "x-p" } },
      },
      "prefill-filter",
      "decode-filter",
      "max-score-picker",
    ],
    profiles: {
      prefill: ["prefill-filter", "session-affinity-scorer", "max-score-picker"],
      decode: ["decode-filter", "max-score-picker"],
    },
    endpoints: [{ role: "prefill" }, { role: "prefill" }, { role: "decode" }],
  });
  const long = { prompt: "x".repeat(200), headers: { "x-p": tokenOf("e1") } };
  const split = decided(core, requestWith(long));
  assert.equal(split.plan.prefill[0]?.id, "e1");
  assert.equal(core.responseHeaders(split.decision).get("x-p"), tokenOf("e1"));
  const whole = decided(core, requestWith({ prompt: "short" }));
  assert.equal(core.responseHeaders(whole.decision).size, 0);
});

const SESSION_ID = { strategy: "session_id" };
const inSession = (id: string) => withHeader("x-session-id", id);

/** Binds session `s` to e1 by making it the shorter queue for one request. */
function bindToSecond(pool: TestPool, request = inSession("s"), nowMs = 0): void {
  pool.core.health(0, false, nowMs);
  assert.equal(served(pool.core, request, nowMs), "e1");
  pool.core.health(0, true, nowMs);
}

test("session-affinity-scorer: a session id is bound to the endpoint that got it first", () => {
  const pool = sessionPool(SESSION_ID);
  bindToSecond(pool);
  assert.equal(served(pool.core, inSession("s")), "e1");
  assert.equal(served(pool.core, inSession(" s ")), "e1");
  assert.equal(served(pool.core, inSession("other")), "e0");
  assert.equal(served(pool.core, requestWith()), "e0");
});

test("session-affinity-scorer: with a session id the answer says nothing", () => {
  const { core } = sessionPool(SESSION_ID);
  const { decision } = decided(core, inSession("s"));
  assert.equal(core.responseHeaders(decision).size, 0);
});

test("session-affinity-scorer: a binding lives as long as it is used", () => {
  const pool = sessionPool({ ...SESSION_ID, sessionIdConfig: { evictionTtlSeconds: 10 } });
  bindToSecond(pool);
  assert.equal(served(pool.core, inSession("s"), 9_000), "e1");
  assert.equal(served(pool.core, inSession("s"), 19_000), "e1");
  assert.equal(served(pool.core, inSession("s"), 29_001), "e0");
});

test("session-affinity-scorer: a session moves only when its endpoint is gone", () => {
  const pool = sessionPool(SESSION_ID);
  const { core } = pool;
  bindToSecond(pool);
  core.health(1, false, 0);
  assert.equal(served(core, inSession("s")), "e0");
  core.health(1, true, 0);
  assert.equal(served(core, inSession("s")), "e0");
});

test("session-affinity-scorer: a request that went elsewhere leaves the session where it is", () => {
  const pool = poolWith({
    plugins: [
      "single-profile-handler",
      { plugin: "session-affinity-scorer", parameters: SESSION_ID },
      "queue-scorer",
      "max-score-picker",
    ],
    profiles: { default: ["session-affinity-scorer", ["queue-scorer", 5], "max-score-picker"] },
    endpoints: [{ queue: 0 }, { queue: 5 }],
  });
  bindToSecond(pool);
  assert.equal(served(pool.core, inSession("s")), "e0");
  assert.deepEqual(scoreInNextDecision(pool), [0, 1]);
});

for (const [name, source, headers] of [
  ["the attribute that a producer sets", { attribute: "SessionID" }, { "x-agent": "s" }],
  [
    "the producer that is named",
    { attribute: "session-id", producer: "session-id-producer" },
    { "x-agent": "s" },
  ],
  ["another header", { header: "X-Chat" }, { "x-chat": "s" }],
] as const) {
  test(`session-affinity-scorer: a session comes from ${name}`, () => {
    const pool = sessionPool({ ...SESSION_ID, sessionIdConfig: { sources: [source] } });
    const request = requestWith({ headers });
    bindToSecond(pool, request);
    assert.equal(served(pool.core, request), "e1");
  });
}

test("session-affinity-scorer: the first source that gives a session counts", () => {
  const sources = [{ header: "x-a" }, { header: "x-b" }];
  const pool = sessionPool({ ...SESSION_ID, sessionIdConfig: { sources } });
  bindToSecond(pool, withHeader("x-b", "s"));
  assert.equal(served(pool.core, requestWith({ headers: { "x-a": " ", "x-b": "s" } })), "e1");
  assert.equal(served(pool.core, requestWith({ headers: { "x-a": "new", "x-b": "s" } })), "e0");
});

for (const [name, id, isKept] of [
  ["256 characters", "s".repeat(256), true],
  ["257 characters", "s".repeat(257), false],
  ["a control character", "s\u0007", false],
] as const) {
  test(`session-affinity-scorer: an id with ${name} is ${isKept ? "kept" : "ignored"}`, () => {
    const pool = sessionPool(SESSION_ID);
    bindToSecond(pool, inSession(id));
    assert.equal(served(pool.core, inSession(id)), isKept ? "e1" : "e0");
  });
}

test("session-affinity-scorer: bindings survive a reload, even into another lifetime", () => {
  const pool = sessionPool(SESSION_ID);
  bindToSecond(pool);
  for (const sessionIdConfig of [{}, { evictionTtlSeconds: 1 }]) {
    pool.core.reconfigure(sessionBlueprint({ ...SESSION_ID, sessionIdConfig }));
    assert.equal(served(pool.core, inSession("s")), "e1");
  }
  pool.core.reconfigure(sessionBlueprint({}));
  assert.equal(served(pool.core, inSession("s")), "e0");
});

for (const [parameters, path, allowed] of [
  [{ strategy: "cookie" }, "strategy", "encoded_endpoint_header,session_id"],
  [{ encodedEndpointHeaderConfig: { header: "a b" } }, "encodedEndpointHeaderConfig.header"],
  [{ sessionIdConfig: { sources: [] } }, "sessionIdConfig.sources"],
  [{ sessionIdConfig: { sources: [{}] } }, "sessionIdConfig.sources[0]"],
  [
    { sessionIdConfig: { sources: [{ header: "a", attribute: "SessionID" }] } },
    "sessionIdConfig.sources[0]",
  ],
  [
    { sessionIdConfig: { sources: [{ header: "a" }, { attribute: "mood" }] } },
    "sessionIdConfig.sources[1].attribute",
    "SessionID,session-id",
  ],
  [
    { sessionIdConfig: { sources: [{ header: "a", producer: "p" }] } },
    "sessionIdConfig.sources[0].producer",
  ],
  [{ sessionIdConfig: { evictionTtlSeconds: 0 } }, "sessionIdConfig.evictionTtlSeconds"],
  [{ sessionIdConfig: { evictionSweepSeconds: -1 } }, "sessionIdConfig.evictionSweepSeconds"],
  [{ headerName: "x" }, "headerName"],
] as const) {
  test(`session-affinity-scorer: ${JSON.stringify(parameters)} is a fault at ${path}`, () => {
    const [fault] = parameterFaults(sessionAffinityScorer, parameters);
    assert.equal(fault?.path, path);
    assert.equal(fault?.allowed?.join(), allowed);
  });
}

test("session-affinity-scorer: names of producers and profiles are checked with the configuration", () => {
  const sources = [{ header: "a" }, { attribute: "SessionID", producer: "ids" }];
  const named = sessionAffinityScorer.configure({
    strategy: "session_id",
    profileName: "prefill",
    sessionIdConfig: { sources },
  });
  assert.deepEqual(named.references, [
    { path: "sessionIdConfig.sources[1].producer", name: "ids", role: "produce" },
  ]);
  assert.equal(named.profilesFault(["prefill", "decode"]), undefined);
  assert.match(named.profilesFault(["default"]) ?? "", /prefill is none of the profiles default/);
});

/** Affinity scores of the next decision in session `s`, by slot. */
function scoreInNextDecision(pool: TestPool): readonly number[] {
  const { decision } = decided(pool.core, inSession("s"));
  const [profile] = pool.core.decisions.read(decision)?.profiles ?? [];
  return (profile?.candidates ?? [])
    .toSorted((one, other) => (one.endpoint < other.endpoint ? -1 : 1))
    .map((candidate) => candidate.scores[0]?.raw ?? Number.NaN);
}
