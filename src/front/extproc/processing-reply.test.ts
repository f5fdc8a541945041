import assert from "node:assert/strict";
import test from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import {
  type ProcessingResponse,
  ProcessingResponseSchema,
} from "./gen/envoy/service/ext_proc/v3/external_processor_pb.ts";
import { HeldBytes, MessageReader } from "./grpc-frames.ts";
import {
  BODY_PIECE_BYTES_MAX,
  bodyReply,
  headersReply,
  immediateReply,
  trailersReply,
} from "./processing-reply.ts";

/** What the generated code reads of one frame. */
function read(frame: Buffer): ProcessingResponse {
  const messages: Buffer[] = [];
  new MessageReader({ messageBytesMax: 1 << 20, held: new HeldBytes(0) }, (message) =>
    messages.push(message),
  ).push(frame);
  assert.equal(messages.length, 1);
  return fromBinary(ProcessingResponseSchema, messages[0] as Buffer);
}

const CHANGE = { set: new Map([["x-a", "ä"]]), remove: ["x-b", "x-c"] };

test("processing-reply: headers are overwritten, removed, and the route is chosen anew", () => {
  const metadata = { namespace: "envoy.lb", key: "destination", value: "10.0.0.1:80" };
  const reply = read(headersReply("request", CHANGE, metadata));
  assert.ok(reply.response.case === "requestHeaders");
  const { clearRouteCache, headerMutation } = reply.response.value.response ?? {};
  assert.equal(clearRouteCache, true);
  const [set] = headerMutation?.setHeaders ?? [];
  assert.equal(Buffer.from(set?.header?.rawValue ?? []).toString(), "ä");
  // OVERWRITE_IF_EXISTS_OR_ADD.
  assert.equal(set?.appendAction, 2);
  assert.deepEqual(headerMutation?.removeHeaders, ["x-b", "x-c"]);
  assert.deepEqual(reply.dynamicMetadata, { "envoy.lb": { destination: "10.0.0.1:80" } });
});

test("processing-reply: scores stand beside the destination", () => {
  const scores = new Map([
    ["10.0.0.1:80", 2.5],
    ["10.0.0.2:80", 0],
  ]);
  const metadata = { namespace: "envoy.lb", key: "destination", value: "10.0.0.1:80", scores };
  const want = {
    destination: "10.0.0.1:80",
    "x-gateway-destination-endpoint-scores": { "10.0.0.1:80": 2.5, "10.0.0.2:80": 0 },
  };
  const nested = read(headersReply("request", CHANGE, metadata));
  assert.deepEqual(nested.dynamicMetadata, { "envoy.lb": want });
  const flat = read(headersReply("request", CHANGE, { ...metadata, namespace: "" }));
  assert.deepEqual(flat.dynamicMetadata, want);
  const none = read(headersReply("request", CHANGE, { ...metadata, scores: new Map() }));
  assert.deepEqual(none.dynamicMetadata, {
    "envoy.lb": { ...want, "x-gateway-destination-endpoint-scores": {} },
  });
});

test("processing-reply: without a namespace the key stands alone", () => {
  const reply = read(headersReply("request", CHANGE, { namespace: "", key: "k", value: "v" }));
  assert.deepEqual(reply.dynamicMetadata, { k: "v" });
});

test("processing-reply: response headers leave the route alone", () => {
  const reply = read(headersReply("response", { set: new Map(), remove: [] }));
  assert.ok(reply.response.case === "responseHeaders");
  assert.equal(reply.response.value.response?.clearRouteCache, false);
  assert.equal(reply.dynamicMetadata, undefined);
});

for (const half of ["request", "response"] as const) {
  for (const size of [0, 1, 116, 117, 118, 127, 128, 16_383, 16_384, BODY_PIECE_BYTES_MAX]) {
    test(`processing-reply: ${size} bytes of a ${half} body`, () => {
      for (const isEnd of [true, false]) {
        const { response } = read(bodyReply(half, Buffer.alloc(size, 7), isEnd));
        assert.equal(response.case, `${half}Body`);
        assert.ok(response.case === "requestBody" || response.case === "responseBody");
        const mutation = response.value.response?.bodyMutation?.mutation;
        assert.ok(mutation?.case === "streamedResponse");
        assert.equal(mutation.value.endOfStream, isEnd);
        assert.deepEqual(Buffer.from(mutation.value.body), Buffer.alloc(size, 7));
      }
    });
  }
  test(`processing-reply: ${half} trailers`, () => {
    const { response } = read(trailersReply(half, ["x-d"]));
    assert.equal(response.case, `${half}Trailers`);
    assert.ok(response.case === "requestTrailers" || response.case === "responseTrailers");
    assert.deepEqual(response.value.headerMutation?.removeHeaders, ["x-d"]);
  });
}

test("processing-reply: an immediate answer", () => {
  const headers = new Map([["retry-after", "1"]]);
  const { response } = read(
    immediateReply({ status: 503, headers, body: Buffer.from("{}"), details: "d" }),
  );
  assert.ok(response.case === "immediateResponse");
  assert.equal(response.value.status?.code, 503);
  assert.equal(response.value.headers?.setHeaders.length, 1);
  assert.equal(Buffer.from(response.value.body).toString(), "{}");
  assert.equal(response.value.details, "d");
});
