import assert from "node:assert/strict";
import { test } from "node:test";
import type { SplitLegs } from "./connector.ts";
import { CONNECTOR_NAMES, type ConnectorName, namedConnector } from "./named-connector.ts";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);

function legsOf(name: ConnectorName, body: string): SplitLegs {
  const legs = namedConnector(name, 8998).split({ path: "/v1/completions", body: bytesOf(body) });
  assert.ok(legs);
  return legs;
}

for (const name of CONNECTOR_NAMES) {
  test(`connector ${name}: a body that is no JSON object has no legs`, () => {
    const connector = namedConnector(name, 8998);
    assert.equal(connector.split({ path: "/v1/completions", body: bytesOf("[]") }), undefined);
  });
}

test("shared-storage: a threshold is tried on the decode engine first and then lifted on both legs", () => {
  const body = '{"seed":9007199254740993,"cache_hit_threshold":0.8,"max_tokens":9}';
  const legs = legsOf("shared-storage", body);
  assert.ok(legs.kind === "sequential");
  assert.equal(textOf(legs.trial), body);
  assert.equal(
    textOf(legs.prefill),
    '{"seed":9007199254740993,"cache_hit_threshold":0,"max_tokens":1,"stream":false,' +
      '"max_completion_tokens":1,"min_tokens":1}',
  );
  const decode = '{"seed":9007199254740993,"cache_hit_threshold":0,"max_tokens":9}';
  assert.equal(textOf(legs.decode(bytesOf("no JSON"))?.body), decode);
  assert.equal(textOf(legs.local), decode);
});

test("shared-storage: without a threshold prefill comes first", () => {
  const legs = legsOf("shared-storage", '{"a":1}');
  assert.ok(legs.kind === "sequential");
  assert.equal(legs.trial, undefined);
  // An engine may have a threshold of its own.
  assert.equal(textOf(legs.decode(bytesOf("{}"))?.body), '{"a":1,"cache_hit_threshold":0}');
});

test("lmcache: the decode leg is the client's body", () => {
  const legs = legsOf("lmcache", '{"a":1}');
  assert.ok(legs.kind === "sequential");
  assert.equal(
    textOf(legs.prefill),
    '{"a":1,"stream":false,"max_tokens":1,"max_completion_tokens":1,"min_tokens":1}',
  );
  assert.equal(textOf(legs.decode(bytesOf("{}"))?.body), '{"a":1}');
});

test("sglang: both engines get the prefill host and a room of their own", () => {
  const legs = legsOf("sglang", '{"seed":9007199254740993}');
  assert.ok(legs.kind === "concurrent");
  const paired = (address: string): RegExpExecArray | null =>
    /^{"seed":9007199254740993,"bootstrap_host":"([^"]+)","bootstrap_port":8998,"bootstrap_room":(\d+)}$/.exec(
      textOf(legs.pair(address)),
    );
  const [, host, room = ""] = paired("10.0.0.1:8000") ?? [];
  assert.equal(host, "10.0.0.1");
  assert.ok(BigInt(room) > 2n ** 53n && BigInt(room) < 2n ** 63n);
  const [, otherHost, otherRoom] = paired("[fd00::1]:8000") ?? [];
  assert.equal(otherHost, "fd00::1");
  assert.notEqual(otherRoom, room);
  assert.equal(textOf(legs.local), '{"seed":9007199254740993}');
});
