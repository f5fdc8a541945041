import type { IncomingHttpHeaders } from "node:http";
import { fromBinary, type JsonObject } from "@bufbuild/protobuf";
import { MetadataSchema } from "./gen/envoy/config/core/v3/base_pb.ts";
import { GRPC_STATUS, GrpcFault } from "./grpc-status.ts";
import { WireCursor } from "./wire-cursor.ts";

/** Which half of an HTTP exchange a message is of. */
export type HalfName = "request" | "response";

/** A `ProcessingRequest`: what the proxy tells of an HTTP exchange, piece by piece. */
export type ProcessingMessage = {
  readonly half: HalfName;
  /** `filter_metadata` by namespace; undefined where the proxy sends none. */
  readonly metadata: Readonly<Record<string, JsonObject>> | undefined;
  /** Told with the first message of a call by proxies that know it. */
  readonly modes: BodyModes | undefined;
  readonly isObserving: boolean;
} & (
  | {
      readonly part: "headers";
      readonly headers: IncomingHttpHeaders;
      readonly isEnd: boolean;
    }
  | { readonly part: "body"; readonly bytes: Uint8Array; readonly isEnd: boolean }
  | { readonly part: "trailers"; readonly headers: IncomingHttpHeaders }
);

/** `ProcessingMode.BodySendMode` of both halves. */
export interface BodyModes {
  readonly request: number;
  readonly response: number;
}

type Piece = ProcessingMessage extends infer M
  ? M extends ProcessingMessage
    ? Omit<M, "metadata" | "modes" | "isObserving">
    : never
  : never;

/**
 * Reads a message by its field numbers: what arrives by the thousand a second is read without the
 * reflection of generated code, which would take as long as all the rest. Throws GrpcFault.
 */
export function readProcessingMessage(bytes: Uint8Array): ProcessingMessage {
  try {
    return readMessage(bytes);
  } catch (error) {
    if (error instanceof GrpcFault) throw error;
    throw new GrpcFault(GRPC_STATUS.invalidArgument, "the message is not a ProcessingRequest");
  }
}

// Fields of envoy.service.ext_proc.v3.ProcessingRequest.
const PIECES: Readonly<Record<number, readonly [HalfName, ProcessingMessage["part"]]>> = {
  2: ["request", "headers"],
  3: ["response", "headers"],
  4: ["request", "body"],
  5: ["response", "body"],
  6: ["request", "trailers"],
  7: ["response", "trailers"],
};
const METADATA_FIELD = 8;
const OBSERVING_FIELD = 10;
const PROTOCOL_FIELD = 11;

function readMessage(bytes: Uint8Array): ProcessingMessage {
  const cursor = new WireCursor(bytes);
  let piece: Piece | undefined;
  let metadata: ProcessingMessage["metadata"];
  let modes: BodyModes | undefined;
  let isObserving = false;
  for (let field = cursor.field(); field !== 0; field = cursor.field()) {
    const kind = PIECES[field];
    if (kind !== undefined) piece = readPiece(...kind, cursor);
    else if (field === METADATA_FIELD) {
      metadata = fromBinary(MetadataSchema, cursor.bytes()).filterMetadata;
    } else if (field === OBSERVING_FIELD) isObserving = cursor.number() !== 0;
    else if (field === PROTOCOL_FIELD) modes = readModes(cursor);
    else cursor.skip();
  }
  if (piece === undefined) {
    throw new GrpcFault(GRPC_STATUS.invalidArgument, "the message is of no part that is known");
  }
  return { ...piece, metadata, modes, isObserving };
}

function readPiece(half: HalfName, part: ProcessingMessage["part"], cursor: WireCursor): Piece {
  const outerEnd = cursor.enter();
  // Header names come from clients; without a prototype `constructor` is one like any other.
  const headers = Object.create(null) as IncomingHttpHeaders;
  let bytes: Uint8Array = NO_BYTES;
  let isEnd = false;
  // HttpHeaders: headers = 1, end_of_stream = 3; HttpTrailers: trailers = 1; HttpBody: body = 1,
  // end_of_stream = 2.
  const endField = part === "headers" ? 3 : 2;
  for (let field = cursor.field(); field !== 0; field = cursor.field()) {
    if (field === 1 && part === "body") bytes = cursor.bytes();
    else if (field === 1) readHeaderMap(headers, cursor);
    else if (field === endField && part !== "trailers") isEnd = cursor.number() !== 0;
    else cursor.skip();
  }
  cursor.leave(outerEnd);
  if (part === "body") return { half, part, bytes, isEnd };
  return part === "headers" ? { half, part, headers, isEnd } : { half, part, headers };
}

const NO_BYTES = new Uint8Array();

/** HeaderMap: headers = 1; HeaderValue: key = 1, value = 2, raw_value = 3. */
function readHeaderMap(headers: IncomingHttpHeaders, cursor: WireCursor): void {
  const outerEnd = cursor.enter();
  for (let field = cursor.field(); field !== 0; field = cursor.field()) {
    if (field === 1) readHeader(headers, cursor);
    else cursor.skip();
  }
  cursor.leave(outerEnd);
}

function readHeader(headers: IncomingHttpHeaders, cursor: WireCursor): void {
  const outerEnd = cursor.enter();
  let key = "";
  let value = "";
  for (let field = cursor.field(); field !== 0; field = cursor.field()) {
    if (field === 1) key = cursor.text("latin1").toLowerCase();
    else if (field === 2 || field === 3) value = cursor.text("utf8") || value;
    else cursor.skip();
  }
  cursor.leave(outerEnd);
  const before = headers[key];
  headers[key] = before === undefined ? value : `${String(before)}, ${value}`;
}

/** ProtocolConfiguration: request_body_mode = 1, response_body_mode = 2. */
function readModes(cursor: WireCursor): BodyModes {
  const outerEnd = cursor.enter();
  let request = 0;
  let response = 0;
  for (let field = cursor.field(); field !== 0; field = cursor.field()) {
    if (field === 1) request = cursor.number();
    else if (field === 2) response = cursor.number();
    else cursor.skip();
  }
  cursor.leave(outerEnd);
  return { request, response };
}
