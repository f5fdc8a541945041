import assert from "node:assert/strict";
import { test } from "node:test";
import type { SequentialLegs } from "./connector.ts";
import { nixlv2 } from "./nixlv2.ts";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);
const HOLD =
  '{"do_remote_decode":true,"do_remote_prefill":false,"remote_engine_id":null,' +
  '"remote_block_ids":null,"remote_host":null,"remote_port":null}';

function legsOf(body: string, path = "/v1/completions"): SequentialLegs {
  const legs = nixlv2.split({ path, body: bytesOf(body) });
  assert.ok(legs?.kind === "sequential");
  return legs;
}

test("nixlv2: the prefill leg asks for one token without a stream and keeps every other byte", () => {
  const body =
    '{ "seed":9007199254740993, "stream":true,"stream_options":{"include_usage":true},' +
    '"max_tokens":64,"min_tokens":8,"messages":[{"content":"\\u00e9 é"}] }';
  assert.equal(
    textOf(legsOf(body).prefill),
    '{ "seed":9007199254740993, "stream":false,' +
      '"max_tokens":1,"min_tokens":1,"messages":[{"content":"\\u00e9 é"}],' +
      `"kv_transfer_params":${HOLD},"max_completion_tokens":1 }`,
  );
});

const PATHS: readonly [path: string, body: string, prefill: string][] = [
  ["/v1/completions", "{}", '"max_tokens":1,"max_completion_tokens":1,"min_tokens":1'],
  ["/v1/chat/completions", "{}", '"max_tokens":1,"max_completion_tokens":1,"min_tokens":1'],
  ["/v1/responses", "{}", '"max_output_tokens":1'],
  ["/v1/messages", "{}", '"max_tokens":1'],
  ["/inference/v1/generate", "{}", '"sampling_params":{"max_tokens":1,"min_tokens":1}'],
];
for (const [path, body, prefill] of PATHS) {
  test(`nixlv2: limits that the client left out are written on the prefill leg of ${path}`, () => {
    const want = `{"kv_transfer_params":${HOLD},"stream":false,${prefill}}`;
    assert.equal(textOf(legsOf(body, path).prefill), want);
  });
}

test("nixlv2: sampling parameters keep what is no limit, and the decode leg has them as they came", () => {
  const params = '{"seed":9007199254740993,"max_tokens":7,"temperature":0}';
  const legs = legsOf(`{"a":1,"sampling_params": ${params},"b":2}`, "/inference/v1/generate");
  assert.equal(
    textOf(legs.prefill),
    '{"a":1,"sampling_params": {"seed":9007199254740993,"max_tokens":1,"temperature":0,"min_tokens":1}' +
      `,"b":2,"kv_transfer_params":${HOLD},"stream":false}`,
  );
  const decode = legs.decode(bytesOf("{}"));
  assert.equal(
    textOf(decode?.body),
    `{"a":1,"sampling_params": ${params},"b":2,"kv_transfer_params":null}`,
  );
});

test("nixlv2: a client's own duplicates and transfer parameters do not get through", () => {
  const legs = legsOf(
    '{"max_tokens":5,"kv_transfer_params":{"remote_host":"evil"},"max_tokens":6}',
  );
  const prefill = textOf(legs.prefill);
  assert.equal(prefill.split('"max_tokens"').length, 2);
  assert.equal(prefill.includes("evil"), false);
  assert.equal(textOf(legs.decode(bytesOf("{}"))?.body).includes("evil"), false);
});

test("nixlv2: the decode leg is the client's body with the handle verbatim, or null", () => {
  const legs = legsOf('{"stream":true,"max_tokens":64}');
  const answer = bytesOf(
    '{"id":1,"kv_transfer_params": {"remote_block_ids":[[1,2],[9007199254740993]] , "x":1e999} }',
  );
  const leg = legs.decode(answer);
  assert.equal(leg?.blockCount, 3);
  assert.equal(
    textOf(leg?.body),
    '{"stream":true,"max_tokens":64,"kv_transfer_params":' +
      '{"remote_block_ids":[[1,2],[9007199254740993]] , "x":1e999}}',
  );
  assert.equal(
    textOf(legs.decode(bytesOf("{}"))?.body),
    '{"stream":true,"max_tokens":64,"kv_transfer_params":null}',
  );
});

const answers: [string, number | null | undefined, boolean | undefined][] = [
  ['{"kv_transfer_params":{"remote_block_ids":[4,5]}}', 2, true],
  ['{"kv_transfer_params":{"remote_block_ids":[]}}', 0, true],
  ['{"kv_transfer_params":{"remote_block_ids":null}}', null, true],
  ['{"kv_transfer_params":{}}', null, true],
  ['{"kv_transfer_params":null}', null, false],
  ["{}", null, false],
  ["[]", undefined, undefined],
  ["", undefined, undefined],
];
for (const [answer, blockCount, hasBlocks] of answers) {
  test(`nixlv2: the handle of ${JSON.stringify(answer)}`, () => {
    const leg = legsOf("{}").decode(bytesOf(answer));
    assert.equal(leg?.blockCount, blockCount);
    assert.equal(leg?.hasBlocks, hasBlocks);
  });
}

test("nixlv2: a body that is no JSON object has no legs", () => {
  for (const body of ["[1]", "{"]) {
    assert.equal(nixlv2.split({ path: "/v1/completions", body: bytesOf(body) }), undefined);
  }
});
