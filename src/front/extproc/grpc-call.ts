import { type MessageLimits, MessageReader } from "./grpc-frames.ts";
import { GRPC_STATUS, GrpcFault, type GrpcStatus } from "./grpc-status.ts";
import { H2_ERROR } from "./h2/h2-protocol.ts";
import type { H2Stream, StreamListener } from "./h2/h2-stream.ts";
import { headerBlock } from "./h2/hpack-encoder.ts";

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

/** One call on one HTTP/2 stream: messages in, frames and a status out. */
export class GrpcCall implements StreamListener {
  readonly #stream: H2Stream;
  readonly #ports: { over(): void; failed(error: unknown): void };
  #handler: GrpcCallHandler | undefined;
  #reader: MessageReader | undefined;
  #isEnded = false;
  #hasHead = false;
  #timer: NodeJS.Timeout | undefined;

  /**
   * `failed` is told of a handler's own faults, and the call ends with INTERNAL; `over` is called when a
   * call that was served has ended.
   */
  constructor(stream: H2Stream, ports: { over(): void; failed(error: unknown): void }) {
    this.#stream = stream;
    this.#ports = ports;
  }

  /** Whether something can still be sent. */
  get isOpen(): boolean {
    return !this.#isEnded && this.#stream.isWritable;
  }

  /** Hands the call to a method. */
  serve(method: GrpcMethod, limits: MessageLimits): void {
    this.#reader = new MessageReader(limits, (message) => {
      if (this.isOpen) this.#handler?.message(message);
    });
    this.#guard(() => {
      this.#handler = method(this);
    });
  }

  data(bytes: Buffer): void {
    if (this.isOpen) this.#guard(() => this.#reader?.push(bytes));
  }

  ended(): void {
    if (!this.isOpen) return;
    if (this.#reader?.isInMessage === true) {
      this.end(GRPC_STATUS.invalidArgument, "the last message is cut off");
    } else this.#guard(() => this.#handler?.halfClosed());
  }

  drained(): void {
    if (this.isOpen) this.#guard(() => this.#handler?.drained());
  }

  closed(): void {
    this.#isEnded = true;
    clearTimeout(this.#timer);
    if (this.#reader === undefined) return;
    this.#reader.stop();
    this.#guard(() => this.#handler?.closed());
    this.#ports.over();
  }

  /** Sends frames; false when the client is slower: send no more until `drained`. */
  send(frames: Uint8Array): boolean {
    if (!this.isOpen) return true;
    if (!this.#hasHead) {
      this.#hasHead = true;
      this.#stream.respond(HEAD, false);
    }
    return this.#stream.write(frames);
  }

  /** Ends the call; what the client still sends is dropped. */
  end(status: GrpcStatus, message = ""): void {
    if (!this.isOpen) return;
    this.#isEnded = true;
    const stream = this.#stream;
    if (this.#hasHead) stream.end(trailersOf(status, message));
    else stream.respond(Buffer.concat([HEAD, trailersOf(status, message)]), true);
    if (stream.isRemoteOver) return;
    // Clients close their half once they read the status; a reset at once could overtake it.
    this.#timer = setTimeout(() => stream.reset(H2_ERROR.none), LINGER_MS);
  }

  /** The client is given no more room until `resume`; messages for which it has room are still handed out. */
  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (error instanceof GrpcFault) {
        this.end(error.status, error.message);
        return;
      }
      this.#ports.failed(error);
      this.end(GRPC_STATUS.internal, "the picker failed on this call; its log says why");
    }
  }
}

const HEAD = headerBlock([
  [":status", "200"],
  ["content-type", "application/grpc"],
]);

const OK_TRAILERS = headerBlock([["grpc-status", String(GRPC_STATUS.ok)]]);

function trailersOf(status: GrpcStatus, message: string): Buffer {
  if (status === GRPC_STATUS.ok && message === "") return OK_TRAILERS;
  return headerBlock([
    ["grpc-status", String(status)],
    // gRPC: percent-encoded, so that any text is a header value.
    ["grpc-message", encodeURIComponent(message)],
  ]);
}
