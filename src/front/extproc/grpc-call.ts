import { constants, type ServerHttp2Stream } from "node:http2";
import { FrameReader } from "./grpc-frames.ts";
import { GRPC_STATUS, GrpcFault, type GrpcStatus } from "./grpc-status.ts";

/** What a method does with a call; `closed` comes last, exactly once, however the call ends. */
export interface GrpcCallHandler {
  /** The bytes are the handler's to keep. A throw of GrpcFault ends the call with its status. */
  message(bytes: Buffer): void;
  /** The client sends no further message. */
  halfClosed(): void;
  /** A client that was slower than the handler took what was sent. */
  drained(): void;
  closed(): void;
}

/** A method: gets a call, gives what handles it. */
export type GrpcMethod = (call: GrpcCall) => GrpcCallHandler;

/** Wall milliseconds that a client has to close its half of a call that ended. */
const LINGER_MS = 1000;

const UNIMPLEMENTED: GrpcCallHandler = {
  message: () => undefined,
  halfClosed: () => undefined,
  drained: () => undefined,
  closed: () => undefined,
};

/** One call on one HTTP/2 stream: messages in, frames and a status out. */
export class GrpcCall {
  readonly #stream: ServerHttp2Stream;
  readonly #fail: (error: unknown) => void;
  #handler: GrpcCallHandler = UNIMPLEMENTED;
  #isEnded = false;
  #hasHead = false;

  /** `fail` is told of a handler's own faults; the call ends with INTERNAL. */
  constructor(stream: ServerHttp2Stream, fail: (error: unknown) => void) {
    this.#stream = stream;
    this.#fail = fail;
    // A reset is no fault of the program; `close` follows and tells the handler.
    stream.on("error", () => undefined);
  }

  /** Whether something can still be sent. */
  get isOpen(): boolean {
    return !this.#isEnded && !this.#stream.closed && !this.#stream.destroyed;
  }

  /** Hands the call to a method. */
  serve(method: GrpcMethod, messageBytesMax: number): void {
    const stream = this.#stream;
    const reader = new FrameReader(messageBytesMax);
    const take = (message: Buffer): void => {
      if (this.isOpen) this.#handler.message(message);
    };
    this.#handler = method(this);
    stream.on("data", (chunk: Buffer) => {
      if (!this.isOpen) return;
      // The answers to messages that came together leave together.
      stream.cork();
      this.#guard(() => reader.push(chunk, take));
      stream.uncork();
    });
    stream.on("end", () => {
      if (!this.isOpen) return;
      if (reader.isInMessage) this.end(GRPC_STATUS.invalidArgument, "the last message is cut off");
      else this.#guard(() => this.#handler.halfClosed());
    });
    stream.on("drain", () => {
      if (this.isOpen) this.#guard(() => this.#handler.drained());
    });
    stream.once("close", () => {
      this.#isEnded = true;
      this.#guard(() => this.#handler.closed());
    });
  }

  /** Sends frames; false when the client is slower: send no more until `drained`. */
  send(frames: Uint8Array): boolean {
    if (!this.isOpen) return true;
    this.#sendHead();
    return this.#stream.write(frames);
  }

  /** Ends the call; what the client still sends is dropped. */
  end(status: GrpcStatus, message = ""): void {
    if (!this.isOpen) return;
    this.#isEnded = true;
    const stream = this.#stream;
    const trailers = {
      "grpc-status": String(status),
      // gRPC: percent-encoded, so that any text is a header value.
      ...(message === "" ? {} : { "grpc-message": encodeURIComponent(message) }),
    };
    if (!this.#hasHead) {
      stream.respond({ ...HEAD, ...trailers }, { endStream: true });
    } else {
      stream.once("wantTrailers", () => stream.sendTrailers(trailers));
      stream.end();
    }
    // Without a reader the client's half would keep the stream open.
    stream.resume();
    if (stream.readableEnded) return;
    // Clients close their half once they read the status; a reset at once could overtake it.
    const timer = setTimeout(() => stream.close(constants.NGHTTP2_NO_ERROR), LINGER_MS);
    stream.once("close", () => clearTimeout(timer));
  }

  /** Reads no further messages until `resume`; those that came with the last read are still handed out. */
  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  #sendHead(): void {
    if (this.#hasHead) return;
    this.#hasHead = true;
    this.#stream.respond(HEAD, { waitForTrailers: true });
  }

  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (error instanceof GrpcFault) {
        this.end(error.status, error.message);
        return;
      }
      this.#fail(error);
      this.end(GRPC_STATUS.internal, "the picker failed on this call; its log says why");
    }
  }
}

const HEAD = { ":status": 200, "content-type": "application/grpc" };
