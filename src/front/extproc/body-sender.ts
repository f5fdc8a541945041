import type { GrpcCall } from "./grpc-call.ts";
import type { HalfName } from "./processing-message.ts";
import { BODY_PIECE_BYTES_MAX, bodyReply } from "./processing-reply.ts";

/** Gives bodies back to the proxy in pieces that it takes, as fast as it takes them. */
export class BodySender {
  readonly #call: GrpcCall;
  readonly #sent: () => void;
  #body: Uint8Array | undefined;
  #offset = 0;
  #last: Buffer | undefined;

  /** `sent` is called when the whole body has left. */
  constructor(call: GrpcCall, sent: () => void) {
    this.#call = call;
    this.#sent = sent;
  }

  /** Sends head, body and, in place of the body's own end, the answer to trailers. */
  send(head: Buffer, body: Uint8Array | undefined, trailers: Buffer | undefined): void {
    this.#body = body;
    this.#last = trailers;
    if (this.#call.send(head)) this.resume();
  }

  /** Goes on where the proxy was too slow. */
  resume(): void {
    const body = this.#body;
    if (body === undefined) return;
    // Of an empty body one piece is sent too: it tells the end.
    do {
      const from = this.#offset;
      this.#offset += BODY_PIECE_BYTES_MAX;
      const isEnd = this.#offset >= body.length && this.#last === undefined;
      const piece = bodyReply("request", body.subarray(from, this.#offset), isEnd);
      if (!this.#call.send(piece) && this.#offset < body.length) return;
    } while (this.#offset < body.length);
    if (this.#last !== undefined) this.#call.send(this.#last);
    this.stop();
  }

  /** Sends the rest no more. */
  stop(): void {
    this.#body = undefined;
    this.#sent();
  }

  /** Sends a chunk back as it came; false when the proxy is slower. */
  echo(half: HalfName, bytes: Uint8Array, isEnd: boolean): boolean {
    let isTaken = true;
    let from = 0;
    do {
      const to = from + BODY_PIECE_BYTES_MAX;
      isTaken = this.#call.send(
        bodyReply(half, bytes.subarray(from, to), isEnd && to >= bytes.length),
      );
      from = to;
    } while (from < bytes.length);
    return isTaken;
  }
}
