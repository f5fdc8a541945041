import type { Duplex } from "node:stream";
import { ClientSettings } from "./client-settings.ts";
import { ConnectionOutput } from "./connection-output.ts";
import { FloodGuard } from "./flood-guard.ts";
import {
  expectGoaway,
  expectLength,
  expectNoStream,
  expectPriority,
  goawayPayload,
  PRIORITY_BYTES,
  settingsPayload,
  unpadded,
  wrong,
} from "./frame-payload.ts";
import { FrameReader } from "./frame-reader.ts";
import {
  FLAG,
  FRAME,
  H2_ERROR,
  type H2Error,
  H2Fault,
  SETTING,
  WINDOW_BYTES_DEFAULT,
} from "./h2-protocol.ts";
import {
  H2Stream,
  STREAM_WINDOW_BYTES,
  type StreamListener,
  type StreamPort,
} from "./h2-stream.ts";
import { HeaderAssembler, type HeaderSection } from "./header-assembler.ts";
import { HpackDecoder } from "./hpack-decoder.ts";
import { headerBlock } from "./hpack-encoder.ts";
import { ReceiveWindow } from "./receive-window.ts";
import { HEADER_LIST_BYTES_MAX, HeadReader, type RequestHead } from "./request-head.ts";
import { StreamTable } from "./stream-table.ts";

/** What a connection is served with. */
export interface H2Service {
  /** Streams at once; further ones get REFUSED_STREAM. */
  readonly streamsMax: number;
  /** Wall time, from any beginning. */
  nowMs(): number;
  /** Called for each request, with its stream; may answer at once, and must not throw. */
  serve(stream: H2Stream, head: RequestHead): StreamListener;
  /** Told what ended a connection, unless its client just left. */
  failed(reason: string): void;
}

/** Window of a connection: what may be under way from the client. */
const CONNECTION_WINDOW_BYTES = 16 * 1024 * 1024;

/** Wall milliseconds in which a client must send its first frame. */
export const GREETING_MS = 10_000;

/** Wall milliseconds that the last frames of a connection have to leave. */
export const FAREWELL_MS = 500;

/** Serves one client of HTTP/2 (RFC 9113). */
export class H2Connection implements StreamPort {
  readonly #socket: Duplex;
  readonly #service: H2Service;
  readonly #output: ConnectionOutput;
  readonly #reader = new FrameReader((type, flags, streamId, payload) =>
    this.#frame(type, flags, streamId, payload),
  );
  readonly #decoder = new HpackDecoder();
  readonly #assembler = new HeaderAssembler();
  readonly #settings = new ClientSettings();
  readonly #guard: FloodGuard;
  readonly #streams = new StreamTable();
  readonly #window = new ReceiveWindow(CONNECTION_WINDOW_BYTES);
  #over: H2Stream[] = [];
  #isGreeted = false;
  #hasSentHeaders = false;
  #isLeaving = false;
  #isClosed = false;
  #timer: NodeJS.Timeout;

  constructor(socket: Duplex, service: H2Service) {
    this.#socket = socket;
    this.#service = service;
    this.#guard = new FloodGuard(service.streamsMax, service.nowMs());
    this.#output = new ConnectionOutput(socket, () => this.#settle());
    this.#timer = setTimeout(() => this.#fail(TOO_LATE), GREETING_MS);
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    socket.on("error", (error) => this.#service.failed(error.message));
    socket.once("end", () => this.close());
    socket.once("close", () => this.#abandon());
    this.#greet();
  }

  /** Tells the client which streams were served, and ends the connection; open streams are cut. */
  close(): void {
    this.#farewell(H2_ERROR.none);
  }

  get sendableBytes(): number {
    return this.#output.sendableBytes;
  }

  sendHeaders({ id }: H2Stream, block: Buffer, isEnd: boolean): void {
    const flags = FLAG.endHeaders | (isEnd ? FLAG.endStream : 0);
    // No block uses the client's table; that said once, none of its settings concerns the blocks.
    const whole = this.#hasSentHeaders ? block : Buffer.concat([TABLE_OF_NOTHING, block]);
    this.#hasSentHeaders = true;
    this.#output.frame(FRAME.headers, flags, id, whole);
  }

  sendData({ id }: H2Stream, bytes: Uint8Array): void {
    this.#guard.carried();
    this.#output.data(id, bytes);
  }

  sendReset({ id, isRemoteOver }: H2Stream, code: H2Error): void {
    this.#sendReset(id, code, isRemoteOver);
  }

  sendCredit({ id }: H2Stream, bytes: number): void {
    this.#output.number(FRAME.windowUpdate, id, bytes);
  }

  wait(stream: H2Stream): void {
    this.#output.wait(stream);
  }

  queued(bytes: number): void {
    this.#output.queued(bytes);
  }

  over(stream: H2Stream): void {
    this.#streams.delete(stream.id);
    this.#output.forget(stream);
    this.#over.push(stream);
    this.#output.schedule();
  }

  #greet(): void {
    const payload = settingsPayload([
      [SETTING.concurrentStreamsMax, this.#service.streamsMax],
      [SETTING.initialWindowSize, STREAM_WINDOW_BYTES],
      [SETTING.headerListSizeMax, HEADER_LIST_BYTES_MAX],
    ]);
    this.#output.frame(FRAME.settings, 0, 0, payload);
    const more = CONNECTION_WINDOW_BYTES - WINDOW_BYTES_DEFAULT;
    this.#output.number(FRAME.windowUpdate, 0, more);
  }

  #read(chunk: Buffer): void {
    if (this.#isClosed) return;
    try {
      this.#reader.push(chunk);
    } catch (error) {
      if (!(error instanceof H2Fault)) throw error;
      this.#fail(error);
    }
  }

  /** Listeners hear of the end of their streams once nothing else is going on. */
  #settle(): void {
    while (this.#over.length > 0) {
      const over = this.#over;
      this.#over = [];
      for (const stream of over) stream.close();
    }
    if (this.#output.isOverfull) this.#fail(UNREAD);
    else if (this.#isLeaving && this.#streams.openCount === 0) this.close();
  }

  #fail(fault: H2Fault): void {
    if (this.#isClosed) return;
    this.#service.failed(fault.message);
    this.#farewell(fault.code);
  }

  #farewell(code: H2Error): void {
    if (this.#isClosed) return;
    this.#output.frame(FRAME.goaway, 0, 0, goawayPayload(this.#streams.lastId, code));
    this.#abandon();
    this.#output.flush();
    this.#socket.end();
    this.#timer = setTimeout(() => this.#socket.destroy(), FAREWELL_MS);
  }

  #abandon(): void {
    clearTimeout(this.#timer);
    this.#isClosed = true;
    for (const stream of this.#streams.open()) stream.abandon();
  }

  #frame(type: number, flags: number, streamId: number, payload: Buffer): void {
    if (this.#isClosed) return;
    if (this.#assembler.isInBlock && type !== FRAME.continuation) {
      throw wrong("a frame within a header block");
    }
    if (!this.#isGreeted) this.#beGreeted(type, flags);
    switch (type) {
      case FRAME.data:
        this.#data(flags, streamId, payload);
        break;
      case FRAME.headers:
        this.#headers(flags, streamId, payload);
        break;
      case FRAME.continuation:
        this.#section(this.#assembler.continue(streamId, flags, payload));
        break;
      case FRAME.rstStream:
        this.#rstStream(streamId, payload);
        break;
      case FRAME.windowUpdate:
        this.#windowUpdate(streamId, payload);
        break;
      case FRAME.settings:
        this.#takeSettings(flags, streamId, payload);
        break;
      case FRAME.ping:
        this.#ping(flags, streamId, payload);
        break;
      case FRAME.goaway:
        expectGoaway(streamId, payload);
        this.#isLeaving = true;
        this.#output.schedule();
        break;
      case FRAME.priority:
        expectPriority(streamId, payload);
        this.#guard.idle(this.#service.nowMs());
        break;
      case FRAME.pushPromise:
        throw wrong("a PUSH_PROMISE of a client");
      default:
        this.#guard.idle(this.#service.nowMs());
    }
  }

  #beGreeted(type: number, flags: number): void {
    if (type !== FRAME.settings || (flags & FLAG.ack) !== 0) {
      throw wrong("a first frame that is not SETTINGS");
    }
    this.#isGreeted = true;
    clearTimeout(this.#timer);
  }

  #data(flags: number, streamId: number, payload: Buffer): void {
    const stream = this.#streams.known(streamId);
    const isEnd = (flags & FLAG.endStream) !== 0;
    if (payload.length > 0) this.#guard.carried();
    else if (!isEnd) this.#guard.idle(this.#service.nowMs());
    this.#credit(payload.length);
    const bytes = unpadded(flags, payload, 0);
    if (stream === undefined || stream.isRemoteOver) {
      if (stream !== undefined) this.#breach(stream, H2_ERROR.streamClosed);
      else if (!this.#streams.wasReset(streamId, isEnd)) {
        this.#refuse(streamId, H2_ERROR.streamClosed, isEnd);
      }
      return;
    }
    stream.receive(bytes, payload.length);
    if (isEnd) stream.receiveEnd();
  }

  /**
   * The connection's window opens again at once, and so is never exceeded: a stream that is slow must not
   * hold up the others, and what it may hold is bounded by its own window.
   */
  #credit(bytes: number): void {
    const told = this.#window.free(bytes);
    if (told > 0) this.#output.number(FRAME.windowUpdate, 0, told);
  }

  #headers(flags: number, streamId: number, payload: Buffer): void {
    if (streamId % 2 === 0) throw wrong("HEADERS of a stream that no client opens");
    this.#guard.carried();
    // Priorities are read past: they are advice, and calls are answered as they come.
    const block = unpadded(flags, payload, (flags & FLAG.priority) === 0 ? 0 : PRIORITY_BYTES);
    this.#section(this.#assembler.begin(streamId, flags, block));
  }

  #section(section: HeaderSection | undefined): void {
    if (section === undefined) return;
    const { streamId, isEnd } = section;
    const head = new HeadReader();
    // Every block is decoded, also of streams that are gone: it changes the table.
    this.#decoder.decode(section.block, (field) => head.take(field));
    if (streamId > this.#streams.lastId) {
      this.#open(streamId, head, isEnd);
      return;
    }
    const stream = this.#streams.known(streamId);
    if (stream !== undefined) this.#trailers(stream, head, isEnd);
    else if (!this.#streams.wasReset(streamId, isEnd)) {
      throw new H2Fault(H2_ERROR.streamClosed, "the client sent HEADERS of a closed stream");
    }
  }

  #trailers(stream: H2Stream, head: HeadReader, isEnd: boolean): void {
    if (stream.isRemoteOver) this.#breach(stream, H2_ERROR.streamClosed);
    else if (!isEnd || !head.isTrailers()) this.#breach(stream, H2_ERROR.protocol);
    else stream.receiveEnd();
  }

  #open(streamId: number, head: HeadReader, isEnd: boolean): void {
    this.#streams.use(streamId);
    const request = head.request();
    if (this.#streams.openCount >= this.#service.streamsMax) {
      this.#refuse(streamId, H2_ERROR.refusedStream, isEnd);
      return;
    }
    if (request === undefined && !head.isTooLarge) {
      this.#refuse(streamId, H2_ERROR.protocol, isEnd);
      return;
    }
    const { windowBytes: sendBytes } = this.#settings;
    const stream = new H2Stream(streamId, this, { sendBytes, contentLength: head.contentLength });
    this.#streams.add(stream);
    if (request === undefined || head.isTooLarge) {
      stream.respond(TOO_LARGE, true);
      stream.reset(H2_ERROR.none);
      return;
    }
    stream.listen(this.#service.serve(stream, request));
    if (isEnd) stream.receiveEnd();
  }

  #rstStream(streamId: number, payload: Buffer): void {
    expectLength(payload, 4);
    const stream = this.#streams.known(streamId);
    const nowMs = this.#service.nowMs();
    // Once its answer is complete, a reset is but the way in which some clients close a stream.
    if (stream?.isWritable === true) this.#guard.reset(nowMs);
    else this.#guard.idle(nowMs);
    this.#streams.wasReset(streamId, true);
    stream?.abandon();
  }

  #windowUpdate(streamId: number, payload: Buffer): void {
    expectLength(payload, 4);
    this.#guard.idle(this.#service.nowMs());
    const bytes = payload.readUInt32BE(0) & 0x7fff_ffff;
    if (streamId === 0) {
      if (bytes === 0) throw wrong("a WINDOW_UPDATE of nothing");
      if (!this.#output.grow(bytes)) throw new H2Fault(H2_ERROR.flowControl, TOO_WIDE);
      return;
    }
    const stream = this.#streams.known(streamId);
    if (stream === undefined) return;
    if (bytes === 0) this.#breach(stream, H2_ERROR.protocol);
    else if (!stream.grow(bytes)) this.#breach(stream, H2_ERROR.flowControl);
  }

  #takeSettings(flags: number, streamId: number, payload: Buffer): void {
    expectNoStream(streamId);
    this.#guard.idle(this.#service.nowMs());
    if ((flags & FLAG.ack) !== 0) {
      expectLength(payload, 0);
      return;
    }
    const grown = this.#settings.take(payload);
    this.#output.frame(FRAME.settings, FLAG.ack, 0, NO_BYTES);
    if (grown === 0) return;
    for (const stream of this.#streams.open()) {
      if (!stream.grow(grown)) throw new H2Fault(H2_ERROR.flowControl, TOO_WIDE);
    }
  }

  #ping(flags: number, streamId: number, payload: Buffer): void {
    expectNoStream(streamId);
    expectLength(payload, 8);
    this.#guard.idle(this.#service.nowMs());
    if ((flags & FLAG.ack) === 0) this.#output.frame(FRAME.ping, FLAG.ack, 0, payload);
  }

  #breach(stream: H2Stream, code: H2Error): void {
    this.#guard.reset(this.#service.nowMs());
    stream.reset(code);
  }

  /** Resets a stream that is not, or no longer, one of the connection's. */
  #refuse(streamId: number, code: H2Error, isEnd: boolean): void {
    this.#guard.reset(this.#service.nowMs());
    this.#sendReset(streamId, code, isEnd);
  }

  #sendReset(streamId: number, code: H2Error, isRemoteOver: boolean): void {
    this.#output.number(FRAME.rstStream, streamId, code);
    if (!isRemoteOver) this.#streams.noteReset(streamId);
  }
}

const NO_BYTES = Buffer.alloc(0);

/** A change of the table's limit to 0 (RFC 7541 6.3). */
const TABLE_OF_NOTHING = Buffer.of(0x20);

const TOO_LARGE = headerBlock([[":status", "431"]]);
const TOO_WIDE = "a window above 2^31-1";
const TOO_LATE = new H2Fault(H2_ERROR.none, "the client sent no SETTINGS in time");
const UNREAD = new H2Fault(H2_ERROR.enhanceYourCalm, "the client does not read its answers");
