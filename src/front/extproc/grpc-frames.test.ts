import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import {
  FRAME_HEAD_BYTES,
  frameOf,
  HeldBytes,
  type MessageLimits,
  MessageReader,
} from "./grpc-frames.ts";
import { GRPC_STATUS, GrpcFault } from "./grpc-status.ts";

const limits = (heldBytesMax = 100): MessageLimits => ({
  messageBytesMax: 40,
  held: new HeldBytes(heldBytesMax),
});

test("grpc-frames: messages come out as they went in, however the bytes are cut", () => {
  const messages = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 });
  fc.assert(
    fc.property(
      messages,
      fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }),
      (sent, cuts) => {
        const bytes = Buffer.concat(sent.map(frameOf));
        const got: Uint8Array[] = [];
        const reader = new MessageReader(limits(), (message) => got.push(Uint8Array.from(message)));
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
    const reader = new MessageReader(limits(), () => assert.fail("a message"));
    const push = (): void => reader.push(Buffer.from(head));
    assert.throws(push, (error) => error instanceof GrpcFault && error.status === status);
  });
}

test("grpc-frames: a message that has begun is told", () => {
  const reader = new MessageReader(limits(), () => assert.fail("a message"));
  reader.push(frameOf(Buffer.from("abc")).subarray(0, FRAME_HEAD_BYTES + 1));
  assert.equal(reader.isInMessage, true);
});

test("grpc-frames: messages that have begun are bounded together, and give their room back", () => {
  const shared = limits(30);
  const messages: Buffer[] = [];
  const readers = [0, 1, 2].map(
    () => new MessageReader(shared, (message) => messages.push(message)),
  );
  const message = frameOf(Buffer.alloc(20, 7));
  const [one, two, three] = readers;
  one?.push(message.subarray(0, 12));
  two?.push(message.subarray(0, 12));
  const isRefused = (error: unknown): boolean =>
    error instanceof GrpcFault && error.status === GRPC_STATUS.resourceExhausted;
  assert.throws(() => three?.push(message.subarray(0, 12)), isRefused);
  assert.equal(shared.held.bytes, 24);
  one?.push(message.subarray(12));
  assert.deepEqual([shared.held.bytes, messages.length], [12, 1]);
  two?.stop();
  two?.stop();
  assert.equal(shared.held.bytes, 0);
});
