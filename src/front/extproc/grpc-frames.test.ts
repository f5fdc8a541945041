import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { FRAME_HEAD_BYTES, frameOf, MessageReader } from "./grpc-frames.ts";
import { GRPC_STATUS, GrpcFault } from "./grpc-status.ts";

test("grpc-frames: messages come out as they went in, however the bytes are cut", () => {
  const messages = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 });
  fc.assert(
    fc.property(
      messages,
      fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }),
      (sent, cuts) => {
        const bytes = Buffer.concat(sent.map(frameOf));
        const got: Uint8Array[] = [];
        const reader = new MessageReader(40, (message) => got.push(Uint8Array.from(message)));
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const to = at + (cuts[i % cuts.length] as number);
          reader.push(bytes.subarray(at, to));
          at = to;
        }
        assert.deepEqual(got, sent);
        assert.equal(reader.isInMessage, false);
      },
    ),
  );
});

const FAULTS: readonly (readonly [name: string, head: readonly number[], status: number])[] = [
  ["over the limit", [0, 0, 0, 0, 41], GRPC_STATUS.resourceExhausted],
  ["of four gigabytes", [0, 255, 255, 255, 255], GRPC_STATUS.resourceExhausted],
  ["compressed", [1, 0, 0, 0, 1], GRPC_STATUS.unimplemented],
];
for (const [name, head, status] of FAULTS) {
  test(`grpc-frames: a message ${name} is refused by its head`, () => {
    const reader = new MessageReader(40, () => assert.fail("a message"));
    const push = (): void => reader.push(Buffer.from(head));
    assert.throws(push, (error) => error instanceof GrpcFault && error.status === status);
  });
}

test("grpc-frames: a message that has begun is told", () => {
  const reader = new MessageReader(40, () => assert.fail("a message"));
  reader.push(frameOf(Buffer.from("abc")).subarray(0, FRAME_HEAD_BYTES + 1));
  assert.equal(reader.isInMessage, true);
});
