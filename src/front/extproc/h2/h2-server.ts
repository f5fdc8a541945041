import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import {
  createServer as createTlsServer,
  type SecureContextOptions,
  type SecureVersion,
  type Server as TlsServer,
} from "node:tls";
import { FAREWELL_MS, GREETING_MS, H2Connection, type H2Service } from "./h2-connection.ts";

/** Certificate and key of a server, PEM. */
export interface TlsIdentity {
  readonly cert: string;
  readonly key: string;
}

/** How a server speaks TLS. */
export interface TlsSettings extends TlsIdentity {
  readonly minVersion: SecureVersion;
  /** As OpenSSL lists them; Node's own list where undefined. */
  readonly ciphers?: string | undefined;
}

/** What a server listens with. */
export interface H2ServerOptions extends H2Service {
  /** Empty listens on all addresses. */
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  /** Undefined serves plaintext, to clients that know it is HTTP/2. */
  readonly tls: TlsSettings | undefined;
  readonly connectionsMax: number;
}

/** Wall milliseconds without a byte after which the system asks whether the client is there. */
const KEEP_ALIVE_MS = 60_000;

/**
 * Serves HTTP/2 with framing of its own: an ext_proc exchange costs less than half of what it does with
 * node:http2, whose stream objects take longer than the decision itself (docs/decisions/010).
 */
export class H2Server {
  readonly #options: H2ServerOptions;
  readonly #server: Server | TlsServer;
  readonly #connections = new Set<H2Connection>();
  /** All that are open, those in the middle of a handshake too. */
  readonly #sockets = new Set<Socket>();

  constructor(options: H2ServerOptions) {
    this.#options = options;
    const { tls } = options;
    if (tls === undefined) {
      this.#server = createServer(SOCKET, (socket) => this.#serve(socket));
    } else {
      const secure = { ...SOCKET, ...HANDSHAKE, ...contextOf(tls) };
      this.#server = createTlsServer(secure, (socket) => this.#serve(socket));
      // A client that breaks the handshake ends its own connection only.
      this.#server.on("tlsClientError", (error: Error) => options.failed(error.message));
    }
    this.#server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
    this.#server.maxConnections = options.connectionsMax;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Rejects when the address cannot be had. */
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

  /** New connections get this certificate. */
  useTls(identity: TlsIdentity): void {
    const { tls } = this.#options;
    if (tls === undefined || !("setSecureContext" in this.#server)) return;
    this.#server.setSecureContext(contextOf({ ...tls, ...identity }));
  }

  /** Stops listening, and ends all connections with a GOAWAY; resolves when all are gone. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const connection of this.#connections) connection.close();
    const timer = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, FAREWELL_MS);
    await closed;
    clearTimeout(timer);
  }

  #serve(socket: Socket): void {
    const connection = new H2Connection(socket, this.#options);
    this.#connections.add(connection);
    socket.once("close", () => this.#connections.delete(connection));
  }
}

const HANDSHAKE = { ALPNProtocols: ["h2"], handshakeTimeout: GREETING_MS };

const SOCKET = { noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS };

function contextOf({ cert, key, minVersion, ciphers }: TlsSettings): SecureContextOptions {
  return { cert, key, minVersion, ...(ciphers === undefined ? {} : { ciphers }) };
}
