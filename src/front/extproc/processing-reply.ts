import type { HalfName } from "./processing-message.ts";
import { WireWriter } from "./wire-writer.ts";

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

/** Dynamic metadata of a reply. */
export interface ReplyMetadata {
  /** What stands in it stands flat where it is "". */
  readonly namespace: string;
  readonly key: string;
  readonly value: string;
  /** Scores by address, which go beside it. */
  readonly scores?: ReadonlyMap<string, number> | undefined;
}

/** Key of the scores (llm-d). */
const SCORES_KEY = "x-gateway-destination-endpoint-scores";

/** Frame of the answer to headers. */
export function headersReply(
  half: HalfName,
  change: HeaderChange,
  metadata?: ReplyMetadata,
): Buffer {
  const writer = new WireWriter();
  if (metadata !== undefined) writeMetadata(writer, metadata);
  const headers = writer.open();
  const common = writer.open();
  // HeadersResponse.response = 1; CommonResponse: header_mutation = 2, clear_route_cache = 5.
  if (half === "request") writer.number(5, 1);
  writeChange(writer, 2, change);
  writer.close(1, common);
  writer.close(HEADERS_FIELD[half], headers);
  return writer.frame();
}

/** Frame of the answer to trailers. */
export function trailersReply(half: HalfName, remove: readonly string[]): Buffer {
  const writer = new WireWriter();
  const trailers = writer.open();
  // TrailersResponse.header_mutation = 1.
  writeChange(writer, 1, { set: NOTHING, remove });
  writer.close(TRAILERS_FIELD[half], trailers);
  return writer.frame();
}

const NOTHING: ReadonlyMap<string, string> = new Map();

/** Frame with a piece of a body, at most BODY_PIECE_BYTES_MAX long. */
export function bodyReply(half: HalfName, bytes: Uint8Array, isEnd: boolean): Buffer {
  const writer = new WireWriter(bytes.length + NESTING_BYTES_MAX);
  // BodyResponse.response = 1, CommonResponse.body_mutation = 3, BodyMutation.streamed_response = 3,
  // StreamedBodyResponse: body = 1, end_of_stream = 2; all of them end where the message does.
  const opened = writer.open();
  if (isEnd) writer.number(2, 1);
  if (bytes.length > 0) writer.bytes(1, bytes);
  writer.close(3, opened);
  writer.close(3, opened);
  writer.close(1, opened);
  writer.close(BODY_FIELD[half], opened);
  return writer.frame();
}

/** Bytes around a piece of a body. */
const NESTING_BYTES_MAX = 48;

/** Frame of an answer that the proxy gives in the engine's place. */
export function immediateReply(answer: {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
  /** For the proxy's access log. */
  readonly details: string;
}): Buffer {
  const writer = new WireWriter();
  // ImmediateResponse: status = 1 (HttpStatus.code = 1), headers = 2, body = 3, details = 5.
  const immediate = writer.open();
  writer.text(5, answer.details);
  writer.bytes(3, answer.body);
  writeChange(writer, 2, { set: answer.headers, remove: [] });
  const status = writer.open();
  writer.number(1, answer.status);
  writer.close(1, status);
  writer.close(IMMEDIATE_FIELD, immediate);
  return writer.frame();
}

/** HeaderMutation: set_headers = 1, remove_headers = 2. */
function writeChange(writer: WireWriter, field: number, change: HeaderChange): void {
  if (change.set.size === 0 && change.remove.length === 0) return;
  const mutation = writer.open();
  for (let i = change.remove.length - 1; i >= 0; i--) writer.text(2, change.remove[i] as string);
  for (const [name, value] of change.set) {
    // HeaderValueOption: header = 1 (HeaderValue: key = 1, raw_value = 3), append_action = 3.
    const option = writer.open();
    writer.number(3, OVERWRITE_OR_ADD);
    const header = writer.open();
    writer.text(3, value);
    writer.text(1, name);
    writer.close(1, header);
    writer.close(1, option);
  }
  writer.close(field, mutation);
}

/** dynamic_metadata, a Struct: `{namespace: {key: value, scores}}`. */
function writeMetadata(writer: WireWriter, metadata: ReplyMetadata): void {
  const { namespace, key, value, scores } = metadata;
  const opened = writer.open();
  const fields = (): void => {
    if (scores !== undefined) {
      writeEntry(writer, SCORES_KEY, STRUCT_VALUE, () => {
        for (const [address, score] of scores) {
          // Value.number_value = 2.
          writeEntry(writer, address, undefined, () => writer.double(2, score));
        }
      });
    }
    // Value.string_value = 3.
    writeEntry(writer, key, undefined, () => writer.text(3, value));
  };
  if (namespace === "") fields();
  else writeEntry(writer, namespace, STRUCT_VALUE, fields);
  writer.close(METADATA_FIELD, opened);
}

/** Value.struct_value. */
const STRUCT_VALUE = 5;

/** An entry of Struct.fields = 1, a map: key = 1, value = 2; what `write` writes may be a field of the Value. */
function writeEntry(
  writer: WireWriter,
  key: string,
  field: number | undefined,
  write: () => void,
): void {
  // The entry, its value and what is in that end at one place.
  const opened = writer.open();
  write();
  if (field !== undefined) writer.close(field, opened);
  writer.close(2, opened);
  writer.text(1, key);
  writer.close(1, opened);
}
