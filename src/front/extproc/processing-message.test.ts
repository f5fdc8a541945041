import assert from "node:assert/strict";
import test from "node:test";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { ProcessingRequestSchema } from "./gen/envoy/service/ext_proc/v3/external_processor_pb.ts";
import { GrpcFault } from "./grpc-status.ts";
import { readProcessingMessage } from "./processing-message.ts";

type Sent = MessageInitShape<typeof ProcessingRequestSchema>;

const bytesOf = (sent: Sent): Uint8Array =>
  toBinary(ProcessingRequestSchema, create(ProcessingRequestSchema, sent));

test("processing-message: headers are read as the generated code writes them", () => {
  const name = fc.stringMatching(/^[a-z:][a-z0-9-]{0,12}$/);
  const value = fc.string({ unit: "grapheme", maxLength: 20 });
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.tuple(name, value), { selector: ([key]) => key }),
      fc.boolean(),
      fc.boolean(),
      (pairs, isRaw, isEnd) => {
        const headers = pairs.map(([key, text]) =>
          isRaw ? { key, rawValue: new TextEncoder().encode(text) } : { key, value: text },
        );
        const message = readProcessingMessage(
          bytesOf({
            request: {
              case: "requestHeaders",
              value: { headers: { headers }, endOfStream: isEnd },
            },
          }),
        );
        assert.equal(message.half, "request");
        assert.ok(message.part === "headers");
        assert.equal(message.isEnd, isEnd);
        assert.deepEqual(Object.entries(message.headers).toSorted(), pairs.toSorted());
      },
    ),
  );
});

test("processing-message: a repeated header is one, and names of Object's own are headers", () => {
  const headers = ["Accept", "accept", "constructor", "__proto__"].map((key, i) => ({
    key,
    value: `${i}`,
  }));
  const message = readProcessingMessage(
    bytesOf({ request: { case: "responseHeaders", value: { headers: { headers } } } }),
  );
  assert.ok(message.part === "headers" && message.half === "response");
  assert.deepEqual(Object.entries(message.headers), [
    ["accept", "0, 1"],
    ["constructor", "2"],
    ["__proto__", "3"],
  ]);
});

for (const half of ["request", "response"] as const) {
  test(`processing-message: a ${half} body and its trailers are read`, () => {
    const value = { body: Buffer.from("abc"), endOfStream: true };
    const body = readProcessingMessage(bytesOf({ request: { case: `${half}Body`, value } }));
    assert.ok(body.part === "body" && body.half === half && body.isEnd);
    assert.equal(Buffer.from(body.bytes).toString(), "abc");
    const trailers = { headers: [{ key: "x-a", value: "1" }] };
    const read = readProcessingMessage(
      bytesOf({ request: { case: `${half}Trailers`, value: { trailers } } }),
    );
    assert.ok(read.part === "trailers" && read.half === half);
    assert.equal(read.headers["x-a"], "1");
  });
}

test("processing-message: metadata, modes and fields nobody asked for", () => {
  const message = readProcessingMessage(
    bytesOf({
      request: { case: "requestHeaders", value: {} },
      metadataContext: { filterMetadata: { "envoy.lb": { key: ["a", 1, null] } } },
      protocolConfig: { requestBodyMode: 4, responseBodyMode: 2 },
      attributes: { "request.time": { deep: { x: 1 } } },
      observabilityMode: true,
    }),
  );
  assert.deepEqual(message.metadata, { "envoy.lb": { key: ["a", 1, null] } });
  assert.deepEqual(message.modes, { request: 4, response: 2 });
  assert.equal(message.isObserving, true);
});

test("processing-message: any bytes are a message or a fault, never another error", () => {
  const whole = bytesOf({ request: { case: "requestBody", value: { body: Buffer.alloc(50) } } });
  const cut = fc.integer({ min: 1, max: whole.length - 1 }).map((to) => whole.subarray(0, to));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 60 }), cut), (bytes) => {
      try {
        assert.ok(readProcessingMessage(bytes).part);
      } catch (error) {
        assert.ok(error instanceof GrpcFault, String(error));
      }
    }),
    { numRuns: 500 },
  );
  assert.throws(() => readProcessingMessage(new Uint8Array()), GrpcFault);
  assert.throws(() => readProcessingMessage(whole.subarray(0, 20)), GrpcFault);
});
