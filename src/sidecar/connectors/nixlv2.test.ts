import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeBody, prefillBody, prefillHandle } from "./nixlv2.ts";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);
const HOLD =
  '{"do_remote_decode":true,"do_remote_prefill":false,"remote_engine_id":null,' +
  '"remote_block_ids":null,"remote_host":null,"remote_port":null}';

test("nixlv2: the prefill leg asks for one token without a stream and keeps every other byte", () => {
  const body =
    '{ "seed":9007199254740993, "stream":true,"stream_options":{"include_usage":true},' +
    '"max_tokens":64,"min_tokens":8,"messages":[{"content":"\\u00e9 é"}] }';
  assert.equal(
    textOf(prefillBody(bytesOf(body))),
    '{ "seed":9007199254740993, "stream":false,' +
      '"max_tokens":1,"min_tokens":1,"messages":[{"content":"\\u00e9 é"}],' +
      `"kv_transfer_params":${HOLD},"max_completion_tokens":1 }`,
  );
});

test("nixlv2: fields that the client left out are written on the prefill leg", () => {
  assert.equal(
    textOf(prefillBody(bytesOf("{}"))),
    `{"kv_transfer_params":${HOLD},"stream":false,"max_tokens":1,"max_completion_tokens":1,"min_tokens":1}`,
  );
});

test("nixlv2: a client's own duplicates and transfer parameters do not get through", () => {
  const body = '{"max_tokens":5,"kv_transfer_params":{"remote_host":"evil"},"max_tokens":6}';
  const prefill = textOf(prefillBody(bytesOf(body)));
  assert.equal(prefill.split('"max_tokens"').length, 2);
  assert.equal(prefill.includes("evil"), false);
  assert.equal(textOf(decodeBody(bytesOf(body), undefined)).includes("evil"), false);
});

test("nixlv2: the decode leg is the client's body with the handle verbatim, or null", () => {
  const body = bytesOf('{"stream":true,"max_tokens":64}');
  const answer = bytesOf(
    '{"id":1,"kv_transfer_params": {"remote_block_ids":[[1,2],[9007199254740993]] , "x":1e999} }',
  );
  const handle = prefillHandle(answer);
  assert.equal(handle?.blockCount, 3);
  assert.equal(
    textOf(decodeBody(body, handle?.kvTransferParams)),
    '{"stream":true,"max_tokens":64,"kv_transfer_params":' +
      '{"remote_block_ids":[[1,2],[9007199254740993]] , "x":1e999}}',
  );
  assert.equal(
    textOf(decodeBody(body, undefined)),
    '{"stream":true,"max_tokens":64,"kv_transfer_params":null}',
  );
});

const handles: [string, number | null | undefined, boolean][] = [
  ['{"kv_transfer_params":{"remote_block_ids":[4,5]}}', 2, true],
  ['{"kv_transfer_params":{"remote_block_ids":[]}}', 0, true],
  ['{"kv_transfer_params":{"remote_block_ids":null}}', null, true],
  ['{"kv_transfer_params":{}}', null, true],
  ['{"kv_transfer_params":null}', null, false],
  ["{}", null, false],
  ["[]", undefined, false],
  ["", undefined, false],
];
for (const [answer, blockCount, hasParams] of handles) {
  test(`nixlv2: the handle of ${JSON.stringify(answer)}`, () => {
    const handle = prefillHandle(bytesOf(answer));
    assert.equal(handle?.blockCount, blockCount);
    assert.equal(handle?.kvTransferParams !== undefined, hasParams);
  });
}

test("nixlv2: a body that is no JSON object has no legs", () => {
  assert.equal(prefillBody(bytesOf("[1]")), undefined);
  assert.equal(decodeBody(bytesOf("{"), undefined), undefined);
});
