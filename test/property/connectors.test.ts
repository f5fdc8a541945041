import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { CONNECTOR_NAMES, namedConnector } from "../../src/sidecar/connectors/named-connector.ts";
import { SPLIT_PATHS } from "../../src/sidecar/connectors/one-token.ts";

type Members = Record<string, unknown>;

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const parsed = (bytes: Uint8Array): Members => JSON.parse(new TextDecoder().decode(bytes));

/** Members that some connector changes on a leg, beside any that a client may send. */
const CHANGED = [
  "stream",
  "stream_options",
  "max_tokens",
  "max_completion_tokens",
  "max_output_tokens",
  "min_tokens",
  "sampling_params",
  "kv_transfer_params",
  "cache_hit_threshold",
  "bootstrap_host",
  "bootstrap_port",
  "bootstrap_room",
];
const DECODE_CHANGED: Readonly<Record<string, readonly string[]>> = {
  nixlv2: ["kv_transfer_params"],
  "shared-storage": ["cache_hit_threshold"],
  sglang: ["bootstrap_host", "bootstrap_port", "bootstrap_room"],
  lmcache: [],
};

const bodies = fc.dictionary(
  fc.oneof(fc.constantFrom(...CHANGED), fc.string({ maxLength: 4 })),
  fc.jsonValue({ maxDepth: 2 }),
  { maxKeys: 8, noNullPrototype: true },
);
const without = (body: Members, names: readonly string[]): Members =>
  Object.fromEntries(Object.entries(body).filter(([name]) => !names.includes(name)));

for (const name of CONNECTOR_NAMES) {
  test(`connectors: ${name} changes its own members and nothing else, on either leg`, () => {
    fc.assert(
      fc.property(
        bodies,
        fc.constantFrom(...SPLIT_PATHS),
        fc.constantFrom(undefined, 1, "\t"),
        (body, path, indent) => {
          const text = JSON.stringify(body, undefined, indent);
          const legs = namedConnector(name, 8998).split({ path, body: bytesOf(text) });
          assert.ok(legs);
          const original = JSON.parse(text) as Members;
          const [prefill, decode] =
            legs.kind === "sequential"
              ? [legs.prefill, legs.decode(bytesOf('{"kv_transfer_params":{"a":1}}'))?.body]
              : [legs.pair("h:1"), legs.pair("h:1")];
          assert.ok(decode);
          assert.deepEqual(without(parsed(prefill), CHANGED), without(original, CHANGED));
          const own = DECODE_CHANGED[name] ?? [];
          assert.deepEqual(without(parsed(decode), own), without(original, own));
          const others = own.includes("cache_hit_threshold") ? own : [];
          assert.deepEqual(without(parsed(legs.local), others), without(original, others));
        },
      ),
    );
  });
}
