/** Frame types (RFC 9113 6). */
export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

/** Frame flags; which ones count depends on the type. */
export const FLAG = { endStream: 1, ack: 1, endHeaders: 4, padded: 8, priority: 0x20 } as const;

/** Settings that are read or sent (RFC 9113 6.5.2). */
export const SETTING = {
  headerTableSize: 1,
  enablePush: 2,
  concurrentStreamsMax: 3,
  initialWindowSize: 4,
  frameSizeMax: 5,
  headerListSizeMax: 6,
} as const;

/** Error codes of RST_STREAM and GOAWAY (RFC 9113 7). */
export const H2_ERROR = {
  none: 0,
  protocol: 1,
  internal: 2,
  flowControl: 3,
  streamClosed: 5,
  frameSize: 6,
  refusedStream: 7,
  cancel: 8,
  compression: 9,
  enhanceYourCalm: 11,
} as const;

/** One of those codes. */
export type H2Error = (typeof H2_ERROR)[keyof typeof H2_ERROR];

/** A breach that ends the connection; the text says which, in the program's own words. */
export class H2Fault extends Error {
  override readonly name: string = "H2Fault";
  readonly code: H2Error;

  constructor(code: H2Error, message: string) {
    super(message);
    this.code = code;
  }
}

/** What a client sends first. */
export const PREFACE: Buffer = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

export const FRAME_HEAD_BYTES = 9;

/** Payload that both sides may send without a setting, and the only one asked for here. */
export const FRAME_BYTES_MAX = 16_384;

/** Window of a connection, and of streams until a setting says otherwise. */
export const WINDOW_BYTES_DEFAULT = 65_535;

/** No window may be larger. */
export const WINDOW_BYTES_MAX: number = 2 ** 31 - 1;

/** Writes the head of a frame; returns where its payload begins. */
export function writeFrameHead(
  to: Buffer,
  at: number,
  payloadBytes: number,
  type: number,
  flags: number,
  streamId: number,
): number {
  to[at] = payloadBytes >> 16;
  to[at + 1] = payloadBytes >> 8;
  to[at + 2] = payloadBytes;
  to[at + 3] = type;
  to[at + 4] = flags;
  to.writeUInt32BE(streamId, at + 5);
  return at + FRAME_HEAD_BYTES;
}
