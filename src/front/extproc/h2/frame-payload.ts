import { FLAG, H2_ERROR, H2Fault } from "./h2-protocol.ts";

/** Bytes of a priority, in a frame of its own or before a header block. */
export const PRIORITY_BYTES = 5;

const GOAWAY_BYTES_LEAST = 8;

/** A payload without its padding, and without so many bytes before its content. */
export function unpadded(flags: number, payload: Buffer, before: number): Buffer {
  const isPadded = (flags & FLAG.padded) !== 0;
  if (!isPadded && before === 0) return payload;
  const from = before + (isPadded ? 1 : 0);
  const to = payload.length - (isPadded ? (payload[0] ?? 0) : 0);
  if (payload.length < from) throw ofWrongSize();
  if (to < from) throw wrong("a frame with more padding than payload");
  return payload.subarray(from, to);
}

/** Payload of a SETTINGS frame. */
export function settingsPayload(settings: readonly (readonly [number, number])[]): Buffer {
  const payload = Buffer.alloc(settings.length * 6);
  settings.forEach(([setting, value], i) => {
    payload.writeUInt16BE(setting, i * 6);
    payload.writeUInt32BE(value, i * 6 + 2);
  });
  return payload;
}

/** Payload of a GOAWAY frame. */
export function goawayPayload(lastId: number, code: number): Buffer {
  const payload = Buffer.alloc(8);
  payload.writeUInt32BE(lastId, 0);
  payload.writeUInt32BE(code, 4);
  return payload;
}

/** Throws for a payload of another size. */
export function expectLength(payload: Buffer, bytes: number): void {
  if (payload.length !== bytes) throw ofWrongSize();
}

/** Throws for a frame that is of a stream and should be of the connection. */
export function expectNoStream(streamId: number): void {
  if (streamId !== 0) throw wrong("a frame of the connection with a stream");
}

/** Throws for a GOAWAY frame that is none. */
export function expectGoaway(streamId: number, payload: Buffer): void {
  expectNoStream(streamId);
  if (payload.length < GOAWAY_BYTES_LEAST) throw ofWrongSize();
}

/** Throws for a PRIORITY frame that is none; what a right one says is deprecated (RFC 9113 5.3). */
export function expectPriority(streamId: number, payload: Buffer): void {
  if (streamId === 0) throw wrong("PRIORITY of no stream");
  expectLength(payload, PRIORITY_BYTES);
}

/** A breach of the protocol's order. */
export function wrong(what: string): H2Fault {
  return new H2Fault(H2_ERROR.protocol, `the client sent ${what}`);
}

function ofWrongSize(): H2Fault {
  return new H2Fault(H2_ERROR.frameSize, "the client sent a frame of a wrong size");
}
