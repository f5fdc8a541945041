import {
  constants,
  createSecureServer,
  createServer,
  type Http2SecureServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo } from "node:net";
import type { SecureContextOptions, SecureVersion } from "node:tls";
import type { Log } from "../../core/log.ts";
import { GrpcCall, type GrpcMethod } from "./grpc-call.ts";
import { GRPC_STATUS } from "./grpc-status.ts";

/** Certificate and key of a server, PEM. */
export interface TlsIdentity {
  readonly cert: string;
  readonly key: string;
}

/** What a gRPC server is made of. */
export interface GrpcServerOptions {
  /** Empty listens on all addresses. */
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  /** Undefined serves plaintext. */
  readonly tls: (TlsIdentity & { readonly minVersion: SecureVersion }) | undefined;
  /** By path, such as `/grpc.health.v1.Health/Check`. */
  readonly methods: ReadonlyMap<string, GrpcMethod>;
  readonly messageBytesMax: number;
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
  /** Stops listening and cuts all connections. */
  close(): Promise<void>;
}

/** Flow-control windows: a body's chunk in flight must not wait for the round trip of an update. */
const STREAM_WINDOW_BYTES = 256 * 1024;
const CONNECTION_WINDOW_BYTES = 16 * 1024 * 1024;

/** Megabytes that nghttp2 may hold for one connection: a proxy sends all its calls over a few. */
const SESSION_MEGABYTES_MAX = 1024;

/** Resets that a client may send: a proxy resets the call of each client that leaves, by thousands. */
const RESETS_MAX = 1_000_000;

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
  readonly #server: Http2Server | Http2SecureServer;
  readonly #sessions = new Set<ServerHttp2Session>();
  #callCount = 0;

  constructor(options: GrpcServerOptions) {
    this.#options = options;
    const { tls, callsMax } = options;
    const common = {
      settings: { initialWindowSize: STREAM_WINDOW_BYTES, maxConcurrentStreams: callsMax },
      maxSessionMemory: SESSION_MEGABYTES_MAX,
      maxSessionRejectedStreams: RESETS_MAX,
      streamResetBurst: RESETS_MAX,
      streamResetRate: RESETS_MAX,
    };
    const server =
      tls === undefined
        ? createServer(common)
        : createSecureServer({ ...common, ...tlsOptions(tls), minVersion: tls.minVersion });
    server.maxConnections = options.connectionsMax;
    server.on("session", (session) => this.#keep(session));
    server.on("stream", (stream, headers) => this.#serve(stream, headers));
    // A client that breaks the protocol or the handshake ends its own connection only.
    server.on("sessionError", (error) => this.#connectionFailed(error));
    server.on("tlsClientError", (error: Error) => this.#connectionFailed(error));
    this.#server = server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get callCount(): number {
    return this.#callCount;
  }

  listen(): Promise<void> {
    const { host, port } = this.#options;
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, host, () => {
        this.#server.off("error", reject);
        resolve();
      });
    });
  }

  useTls(identity: TlsIdentity): void {
    if ("setSecureContext" in this.#server) this.#server.setSecureContext(tlsOptions(identity));
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

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const session of this.#sessions) session.destroy();
    await closed;
  }

  #keep(session: ServerHttp2Session): void {
    this.#sessions.add(session);
    session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
    session.once("close", () => this.#sessions.delete(session));
  }

  #serve(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    const { methods, callsMax, messageBytesMax, log } = this.#options;
    const call = new GrpcCall(stream, (error) => {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      log.error("call-failed", { error: text });
    });
    // gRPC over HTTP/2: anything else on this port is answered in HTTP's words.
    if (headers[":method"] !== "POST" || !isGrpc(headers)) {
      stream.respond({ ":status": constants.HTTP_STATUS_UNSUPPORTED_MEDIA_TYPE }, END);
      stream.resume();
      return;
    }
    const method = methods.get(headers[":path"] ?? "");
    if (method === undefined) {
      call.end(GRPC_STATUS.unimplemented, "there is no such method here");
    } else if (this.#callCount >= callsMax) {
      call.end(GRPC_STATUS.resourceExhausted, `${callsMax} calls are under way`);
    } else {
      this.#callCount++;
      stream.once("close", () => this.#callCount--);
      call.serve(method, messageBytesMax);
    }
  }

  #connectionFailed(error: Error): void {
    this.#options.log.info("connection-failed", { error: error.message });
  }
}

const END = { endStream: true };

function isGrpc(headers: IncomingHttpHeaders): boolean {
  return /^application\/grpc(?:[+;]|$)/.test(headers["content-type"] ?? "");
}

function tlsOptions({
  cert,
  key,
}: TlsIdentity): SecureContextOptions & { ALPNProtocols: string[] } {
  return { cert, key, ALPNProtocols: ["h2"] };
}
