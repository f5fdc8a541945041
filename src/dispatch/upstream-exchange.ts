import type { IncomingHttpHeaders } from "node:http";
import type { RouterError } from "../core/router-error.ts";
import type { AnswerHead } from "./answer-head.ts";
import { isHeld, type Outgoing } from "./body-writer.ts";
import type { EngineConnection } from "./engine-connection.ts";
import type { Lane, Passenger } from "./lane.ts";
import type { UpstreamCall, UpstreamSink } from "./upstream.ts";

/** One request with its sink, from waiting for a connection to the end of its answer. */
export class UpstreamExchange implements UpstreamCall, Passenger {
  readonly method: string;
  readonly outgoing: Outgoing;
  readonly #sink: UpstreamSink;
  readonly #lane: Lane;
  #connection: EngineConnection | undefined;
  #wasRepeated = false;
  #isOver = false;

  constructor(method: string, outgoing: Outgoing, sink: UpstreamSink, lane: Lane) {
    this.method = method;
    this.outgoing = outgoing;
    this.#sink = sink;
    this.#lane = lane;
  }

  pause(): void {
    this.#connection?.pause();
  }

  resume(): void {
    this.#connection?.resume();
  }

  abort(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#connection === undefined) this.#lane.leave(this);
    this.#connection?.drop();
    this.#connection = undefined;
  }

  boarded(connection: EngineConnection): void {
    this.#connection = connection;
  }

  head({ status, headers, rawHeaders, framing }: AnswerHead): void {
    if (this.#isOver) return;
    const isChunked = framing.kind === "chunked" && this.#sink.framed !== undefined;
    this.#sink.head({ status, headers, rawHeaders, isChunked });
  }

  data(chunk: Buffer): void {
    if (!this.#isOver) this.#sink.data(chunk);
  }

  framed(bytes: Buffer, isLast: boolean): void {
    if (!this.#isOver) this.#sink.framed?.(bytes, isLast);
  }

  end(trailers: IncomingHttpHeaders): void {
    this.#connection = undefined;
    if (this.#isOver) return;
    this.#sink.end(trailers);
    this.#isOver = true;
  }

  failed(fault: RouterError, isStale: boolean): void {
    this.#connection = undefined;
    if (this.#isOver) return;
    // A body that comes has been read in part and cannot be sent again.
    const { body } = this.outgoing;
    const isRepeatable = body === undefined || isHeld(body);
    if (isStale && isRepeatable && !this.#wasRepeated) {
      this.#wasRepeated = true;
      this.#lane.boardAnew(this);
      return;
    }
    this.#isOver = true;
    this.#sink.failed(fault);
  }
}

/** A call that fails because its request cannot be written, but not before its caller has it. */
export class RefusedCall implements UpstreamCall {
  #isAborted = false;

  constructor(sink: UpstreamSink, fault: RouterError) {
    queueMicrotask(() => {
      if (!this.#isAborted) sink.failed(fault);
    });
  }

  pause(): void {}

  resume(): void {}

  abort(): void {
    this.#isAborted = true;
  }
}
