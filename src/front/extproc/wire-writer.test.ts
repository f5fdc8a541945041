import assert from "node:assert/strict";
import test from "node:test";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { frameOf } from "./grpc-frames.ts";
import { WireWriter } from "./wire-writer.ts";

/** A field of a message; nested ones have fields of their own. */
type Field = readonly [number: number, value: string | number | Uint8Array | readonly Field[]];

/** What the generated code's own writer makes of the fields. */
function written(
  fields: readonly Field[],
  writer: BinaryWriter = new BinaryWriter(),
): BinaryWriter {
  for (const [number, value] of fields) {
    if (typeof value === "number") writer.tag(number, WireType.Varint).uint32(value);
    else if (typeof value === "string") writer.tag(number, WireType.LengthDelimited).string(value);
    else if (value instanceof Uint8Array) writer.tag(number, WireType.LengthDelimited).bytes(value);
    else written(value, writer.tag(number, WireType.LengthDelimited).fork()).join();
  }
  return writer;
}

function writeLastToFirst(writer: WireWriter, fields: readonly Field[]): void {
  for (const [number, value] of fields.toReversed()) {
    if (typeof value === "number") writer.number(number, value);
    else if (typeof value === "string") writer.text(number, value);
    else if (value instanceof Uint8Array) writer.bytes(number, value);
    else {
      const opened = writer.open();
      writeLastToFirst(writer, value);
      writer.close(number, opened);
    }
  }
}

test("wire-writer: any message is that of the generated code's writer, whatever room it had", () => {
  const { message } = fc.letrec<{ message: Field[]; field: Field }>((tie) => ({
    message: fc.array(tie("field"), { maxLength: 6 }),
    field: fc.tuple(
      fc.integer({ min: 1, max: 2000 }),
      fc.oneof(
        { maxDepth: 4 },
        fc.string({ unit: "binary", maxLength: 300 }),
        fc.nat(2 ** 31 - 1),
        fc.uint8Array({ maxLength: 300 }),
        tie("message"),
      ),
    ),
  }));
  fc.assert(
    fc.property(message, fc.integer({ min: 1, max: 2000 }), (fields, roomBytes) => {
      const writer = new WireWriter(roomBytes);
      writeLastToFirst(writer, fields);
      assert.deepEqual(writer.frame(), frameOf(written(fields).finish()));
    }),
  );
});
