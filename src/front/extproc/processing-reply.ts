import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { FRAME_HEAD_BYTES, frameOf, writeFrameHead } from "./grpc-frames.ts";
import type { HalfName } from "./processing-message.ts";

/** What is changed of headers or trailers. */
export interface HeaderChange {
  readonly set: ReadonlyMap<string, string>;
  readonly remove: readonly string[];
}

/** Envoy takes pieces up to 64 KiB; llm-d's size leaves room for the fields around them. */
export const BODY_PIECE_BYTES_MAX = 62_000;

// Fields of envoy.service.ext_proc.v3.ProcessingResponse.
const HEADERS_FIELD: Readonly<Record<HalfName, number>> = { request: 1, response: 2 };
const BODY_FIELD: Readonly<Record<HalfName, number>> = { request: 3, response: 4 };
const TRAILERS_FIELD: Readonly<Record<HalfName, number>> = { request: 5, response: 6 };
const IMMEDIATE_FIELD = 7;
const METADATA_FIELD = 8;

// HeaderValueOption.HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD.
const OVERWRITE_OR_ADD = 2;

/** Frame of the answer to headers; `metadata` is dynamic metadata of one namespace, flat where it is "". */
export function headersReply(
  half: HalfName,
  change: HeaderChange,
  metadata?: { readonly namespace: string; readonly key: string; readonly value: string },
): Buffer {
  const writer = new BinaryWriter();
  open(writer, HEADERS_FIELD[half]);
  // HeadersResponse.response = 1; CommonResponse: header_mutation = 2, clear_route_cache = 5.
  open(writer, 1);
  writeChange(writer, 2, change);
  if (half === "request") writer.tag(5, WireType.Varint).bool(true);
  writer.join().join();
  if (metadata !== undefined) writeMetadata(writer, metadata);
  return frameOf(writer.finish());
}

/** Frame of the answer to trailers. */
export function trailersReply(half: HalfName, remove: readonly string[]): Buffer {
  const writer = new BinaryWriter();
  open(writer, TRAILERS_FIELD[half]);
  // TrailersResponse.header_mutation = 1.
  writeChange(writer, 1, { set: new Map(), remove });
  return frameOf(writer.join().finish());
}

/** Frame with a piece of a body, at most BODY_PIECE_BYTES_MAX long. */
export function bodyReply(half: HalfName, bytes: Uint8Array, isEnd: boolean): Buffer {
  const isEmpty = bytes.length === 0;
  // StreamedBodyResponse: body = 1, end_of_stream = 2.
  let sizeBytes = (isEmpty ? 0 : 1 + varintBytes(bytes.length) + bytes.length) + (isEnd ? 2 : 0);
  const sizes = [sizeBytes];
  // From inside out: BodyMutation.streamed_response = 3, CommonResponse.body_mutation = 3,
  // BodyResponse.response = 1, and the field of the half.
  const fields = [3, 3, 1, BODY_FIELD[half]];
  for (let depth = 1; depth <= fields.length; depth++) {
    sizeBytes += 1 + varintBytes(sizeBytes);
    sizes.push(sizeBytes);
  }
  const frame = Buffer.allocUnsafe(FRAME_HEAD_BYTES + sizeBytes);
  writeFrameHead(frame, sizeBytes);
  let at = FRAME_HEAD_BYTES;
  for (let depth = fields.length - 1; depth >= 0; depth--) {
    at = writeLength(frame, at, fields[depth] as number, sizes[depth] as number);
  }
  if (!isEmpty) {
    at = writeLength(frame, at, 1, bytes.length);
    frame.set(bytes, at);
    at += bytes.length;
  }
  if (isEnd) frame.set([(2 << 3) | WireType.Varint, 1], at);
  return frame;
}

/** Frame of an answer that the proxy gives in the engine's place. */
export function immediateReply(answer: {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
  /** For the proxy's access log. */
  readonly details: string;
}): Buffer {
  const writer = new BinaryWriter();
  open(writer, IMMEDIATE_FIELD);
  // ImmediateResponse: status = 1 (HttpStatus.code = 1), headers = 2, body = 3, details = 5.
  open(writer, 1).tag(1, WireType.Varint).int32(answer.status).join();
  writeChange(writer, 2, { set: answer.headers, remove: [] });
  writer.tag(3, WireType.LengthDelimited).bytes(answer.body);
  writer.tag(5, WireType.LengthDelimited).string(answer.details);
  return frameOf(writer.join().finish());
}

/** HeaderMutation: set_headers = 1, remove_headers = 2. */
function writeChange(writer: BinaryWriter, field: number, change: HeaderChange): void {
  if (change.set.size === 0 && change.remove.length === 0) return;
  open(writer, field);
  for (const [name, value] of change.set) {
    // HeaderValueOption: header = 1 (HeaderValue: key = 1, raw_value = 3), append_action = 3.
    open(open(writer, 1), 1);
    writer.tag(1, WireType.LengthDelimited).string(name);
    writer.tag(3, WireType.LengthDelimited).string(value).join();
    writer.tag(3, WireType.Varint).int32(OVERWRITE_OR_ADD).join();
  }
  for (const name of change.remove) writer.tag(2, WireType.LengthDelimited).string(name);
  writer.join();
}

/** dynamic_metadata, a Struct: `{namespace: {key: value}}`. */
function writeMetadata(
  writer: BinaryWriter,
  { namespace, key, value }: { namespace: string; key: string; value: string },
): void {
  open(writer, METADATA_FIELD);
  // Struct.fields = 1, a map: key = 1, value = 2; Value: string_value = 3, struct_value = 5.
  if (namespace !== "") {
    open(writer, 1).tag(1, WireType.LengthDelimited).string(namespace);
    open(open(writer, 2), 5);
  }
  open(writer, 1).tag(1, WireType.LengthDelimited).string(key);
  open(writer, 2).tag(3, WireType.LengthDelimited).string(value).join().join();
  if (namespace !== "") writer.join().join().join();
  writer.join();
}

function open(writer: BinaryWriter, field: number): BinaryWriter {
  return writer.tag(field, WireType.LengthDelimited).fork();
}

function varintBytes(value: number): number {
  let count = 1;
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) count++;
  return count;
}

/** Writes the tag and the length of a length-delimited field; returns where its content begins. */
function writeLength(frame: Buffer, at: number, field: number, length: number): number {
  let to = at;
  frame[to++] = (field << 3) | WireType.LengthDelimited;
  let rest = length;
  for (; rest > 0x7f; rest >>>= 7) frame[to++] = (rest & 0x7f) | 0x80;
  frame[to++] = rest;
  return to;
}
