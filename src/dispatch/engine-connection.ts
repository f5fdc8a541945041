import type { IncomingHttpHeaders } from "node:http";
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { performance } from "node:perf_hooks";
import { connect as connectTls } from "node:tls";
import type { RouterError } from "../core/router-error.ts";
import { AnswerDecoder, type AnswerListener } from "./answer-decoder.ts";
import { BadAnswer } from "./answer-head.ts";
import { BodyWriter, type Outgoing } from "./body-writer.ts";
import type { UpstreamTls } from "./upstream.ts";
import {
  answerFault,
  connectFault,
  lostFault,
  requestFault,
  routerFault,
} from "./upstream-fault.ts";

/** Where a connection leads and with what it is made. */
export interface ConnectionOptions {
  /** `host:port`. */
  readonly address: string;
  readonly tls: UpstreamTls | undefined;
  readonly connectTimeoutMs: number;
  /** Shared by all connections: what is read is copied out before the next read. */
  readonly readBuffer: Buffer;
}

/** A request that a connection carries, and who hears of its answer. */
export interface Rider extends AnswerListener {
  readonly method: string;
  readonly outgoing: Outgoing;
  /** The answer is complete; the connection is free for others, or closed. */
  end(trailers: IncomingHttpHeaders): void;
  /** There will be no complete answer. `isStale` says that a kept connection died unanswered. */
  failed(fault: RouterError, isStale: boolean): void;
}

/** Who keeps connections. */
export interface ConnectionOwner {
  /** The answer is complete and the engine takes another request. */
  freed(connection: EngineConnection): void;
  /** The connection is of no use any more; told once. */
  closed(connection: EngineConnection): void;
}

/** One connection to an engine; carries one request at a time. */
export class EngineConnection {
  readonly #owner: ConnectionOwner;
  readonly #socket: Socket;
  readonly #decoder = new AnswerDecoder();
  readonly #connectTimer: NodeJS.Timeout;
  #rider: Rider | undefined;
  #writer: BodyWriter | undefined;
  #isConnected = false;
  #isClosed = false;
  #isReused = false;
  #idleSinceMs = 0;

  constructor(options: ConnectionOptions, owner: ConnectionOwner) {
    const { tls, connectTimeoutMs } = options;
    this.#owner = owner;
    this.#socket = openSocket(options, (bytes, byteCount) => this.#read(bytes, byteCount));
    this.#connectTimer = setTimeout(() => this.#lost(connectTimeout()), connectTimeoutMs);
    this.#socket
      .once(tls === undefined ? "connect" : "secureConnect", () => {
        this.#isConnected = true;
        clearTimeout(this.#connectTimer);
      })
      .on("error", (error) => this.#lost(error))
      .once("end", () => this.#ended())
      .once("close", () => this.#lost(undefined));
  }

  /** Whether a request may be put on the idle connection. */
  isUsable(nowMs: number, keepAliveMs: number): boolean {
    return !this.#isClosed && nowMs - this.#idleSinceMs < keepAliveMs;
  }

  /** Sends a request and tells the rider of its answer. */
  carry(rider: Rider): void {
    this.#rider = rider;
    this.#decoder.begin(rider.method, rider);
    this.#writer = new BodyWriter(this.#socket, rider.outgoing);
    this.#writer.start((error) => this.cut(requestFault(error)));
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Closes the connection; a rider hears nothing of it. */
  drop(): void {
    this.#rider = undefined;
    this.#close();
  }

  /** Closes the connection for a reason of ours. */
  cut(fault: RouterError): void {
    this.#fail(fault, false);
  }

  /** The buffer is used again: the decoder copies what it hands on. */
  #read(bytes: Buffer, byteCount: number): boolean {
    // An engine that speaks without being asked is not to be trusted with the next request.
    if (this.#rider === undefined) this.#close();
    else this.#hear(() => this.#decoder.push(bytes, byteCount));
    return true;
  }

  #ended(): void {
    if (this.#rider === undefined) this.#close();
    else if (this.#decoder.isEndedByClose) this.#hear(() => true);
    else this.#lost(undefined);
  }

  /** A throw in a read callback would end the process; here it ends the one request. */
  #hear(isComplete: () => boolean): void {
    const rider = this.#rider;
    try {
      if (isComplete()) this.#complete();
    } catch (error) {
      const fault =
        error instanceof BadAnswer
          ? answerFault(error)
          : routerFault("the router failed on the answer", error);
      if (this.#rider === rider) this.#fail(fault, false);
      else rider?.failed(fault, false);
    }
  }

  #complete(): void {
    const rider = this.#rider;
    // The next rider may board within `freed`.
    const { trailers } = this.#decoder;
    const isWritten = this.#writer?.isDone === true;
    this.#writer?.stop();
    this.#rider = undefined;
    if (this.#decoder.isKept && isWritten && !this.#isClosed) {
      this.#isReused = true;
      this.#idleSinceMs = performance.now();
      this.#socket.resume();
      this.#owner.freed(this);
    } else {
      this.#close();
    }
    rider?.end(trailers);
  }

  #lost(error: Error | undefined): void {
    if (this.#isClosed) return;
    if (!this.#isConnected) {
      this.#fail(connectFault(error), false);
      return;
    }
    const { hasBytes } = this.#decoder;
    const fault = lostFault(hasBytes ? "answering" : "sent", error);
    this.#fail(fault, this.#isReused && !hasBytes);
  }

  #fail(fault: RouterError, isStale: boolean): void {
    const rider = this.#rider;
    this.#rider = undefined;
    if (!this.#isClosed) this.#shut();
    // Told before the owner fills the place: a stale request takes it again.
    rider?.failed(fault, isStale);
    this.#owner.closed(this);
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#shut();
    this.#owner.closed(this);
  }

  #shut(): void {
    this.#isClosed = true;
    clearTimeout(this.#connectTimer);
    this.#writer?.stop();
    this.#socket.destroy();
  }
}

function connectTimeout(): Error {
  return Object.assign(new Error("connecting took too long"), { code: "ETIMEDOUT" });
}

function openSocket(
  options: ConnectionOptions,
  read: (bytes: Buffer, byteCount: number) => boolean,
): Socket {
  const { address, tls, readBuffer: buffer } = options;
  const colon = address.lastIndexOf(":");
  const host = address.slice(0, colon).replace(/^\[|\]$/g, "");
  const port = Number(address.slice(colon + 1));
  if (tls === undefined) {
    const callback = (byteCount: number): boolean => read(buffer, byteCount);
    return connectTcp({ host, port, noDelay: true, onread: { buffer, callback } });
  }
  // RFC 6066 3: an IP address is no server name.
  const servername = isIP(host) === 0 ? host : "";
  const socket = connectTls({
    host,
    port,
    servername,
    rejectUnauthorized: tls.isVerifying,
    ALPNProtocols: ["http/1.1"],
  });
  return socket.setNoDelay(true).on("data", (bytes: Buffer) => read(bytes, bytes.length));
}
