import type { Log } from "../../core/log.ts";
import { GrpcCall, type GrpcMethod } from "./grpc-call.ts";
import { HeldBytes, type MessageLimits } from "./grpc-frames.ts";
import { GRPC_STATUS } from "./grpc-status.ts";
import { H2_ERROR } from "./h2/h2-protocol.ts";
import { H2Server, type TlsIdentity, type TlsSettings } from "./h2/h2-server.ts";
import { DEAF, type H2Stream, type StreamListener } from "./h2/h2-stream.ts";
import { headerBlock } from "./h2/hpack-encoder.ts";
import type { RequestHead } from "./h2/request-head.ts";

/** What a gRPC server is made of. */
export interface GrpcServerOptions {
  /** Empty listens on all addresses. */
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  /** Undefined serves plaintext. */
  readonly tls: TlsSettings | undefined;
  /** By path, such as `/grpc.health.v1.Health/Check`. */
  readonly methods: ReadonlyMap<string, GrpcMethod>;
  readonly messageBytesMax: number;
  /** Bytes of messages that have not ended, of all calls together; what is over ends its call. */
  readonly heldBytesMax: number;
  /** Calls at once; further ones end with RESOURCE_EXHAUSTED. */
  readonly callsMax: number;
  readonly connectionsMax: number;
  readonly log: Log;
}

/** A listening gRPC server. */
export interface GrpcServer {
  readonly port: number;
  /** Calls under way. */
  readonly callCount: number;
  /** New connections get this certificate. */
  useTls(identity: TlsIdentity): void;
  /** Resolves when no call was under way for a while, or after the limit; calls are served meanwhile. */
  idle(timeoutMs: number): Promise<void>;
  /** Stops listening and ends all connections; calls under way are cut. */
  close(): Promise<void>;
}

/** A server without calls for this long has been left by its clients. */
const QUIET_MS = 1000;
const QUIET_LOOK_MS = 50;

/** Listens; rejects when the address cannot be had. */
export async function startGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  const listening = new Listening(options);
  await listening.listen();
  return listening;
}

class Listening implements GrpcServer {
  readonly #options: GrpcServerOptions;
  readonly #server: H2Server;
  readonly #messageLimits: MessageLimits;
  #callCount = 0;

  constructor(options: GrpcServerOptions) {
    this.#options = options;
    const { host, port, tls, connectionsMax, callsMax: streamsMax, log } = options;
    const held = new HeldBytes(options.heldBytesMax);
    this.#messageLimits = { messageBytesMax: options.messageBytesMax, held };
    this.#server = new H2Server({
      ...{ host, port, tls, connectionsMax, streamsMax },
      nowMs: () => performance.now(),
      serve: (stream, head) => this.#serve(stream, head),
      failed: (error) => log.info("connection-failed", { error }),
    });
  }

  get port(): number {
    return this.#server.port;
  }

  get callCount(): number {
    return this.#callCount;
  }

  listen(): Promise<void> {
    return this.#server.listen();
  }

  useTls(identity: TlsIdentity): void {
    this.#server.useTls(identity);
  }

  async idle(timeoutMs: number): Promise<void> {
    const endMs = performance.now() + timeoutMs;
    let quietSinceMs = performance.now();
    for (let nowMs = quietSinceMs; nowMs < endMs; nowMs = performance.now()) {
      if (this.#callCount > 0) quietSinceMs = nowMs;
      else if (nowMs - quietSinceMs >= QUIET_MS) return;
      await new Promise((resolve) => setTimeout(resolve, QUIET_LOOK_MS));
    }
  }

  close(): Promise<void> {
    return this.#server.close();
  }

  #serve(stream: H2Stream, head: RequestHead): StreamListener {
    const { methods, callsMax } = this.#options;
    // gRPC over HTTP/2: anything else on this port is answered in HTTP's words.
    if (head.method !== "POST" || !GRPC_CONTENT.test(head.contentType)) {
      stream.respond(UNSUPPORTED_MEDIA, true);
      stream.reset(H2_ERROR.none);
      return DEAF;
    }
    const call = new GrpcCall(stream, this.#ports);
    const method = methods.get(head.path);
    if (method === undefined) {
      call.end(GRPC_STATUS.unimplemented, "there is no such method here");
    } else if (this.#callCount >= callsMax) {
      call.end(GRPC_STATUS.resourceExhausted, `${callsMax} calls are under way`);
    } else {
      this.#callCount++;
      call.serve(method, this.#messageLimits);
    }
    return call;
  }

  readonly #ports = {
    over: (): void => {
      this.#callCount--;
    },
    failed: (error: unknown): void => {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.#options.log.error("call-failed", { error: text });
    },
  };
}

const GRPC_CONTENT = /^application\/grpc(?:[+;]|$)/;

const UNSUPPORTED_MEDIA = headerBlock([[":status", "415"]]);
