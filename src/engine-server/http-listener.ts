import { createServer, type RequestListener } from "node:http";
import type { AddressInfo, Socket } from "node:net";

/** A listening HTTP server whose connections can be cut at once. */
export interface HttpListener {
  readonly host: string;
  readonly port: number;
  readonly connectionCount: number;
  /** Stops listening and resets every connection, as a host does that lost its process. */
  reset(): Promise<void>;
  /** Stops listening and closes every connection. */
  close(): Promise<void>;
}

/** Connections accepted at a time; each has at most one request under way. */
const MAX_CONNECTIONS = 16_384;
/** Longest time for a client to send a request whole. */
const REQUEST_TIMEOUT_MS = 300_000;
const HEADERS_TIMEOUT_MS = 60_000;
/** uvicorn's `timeout_keep_alive`, which vLLM does not change. */
const KEEP_ALIVE_TIMEOUT_MS = 5000;
/** uvicorn's limit on an incomplete event (`h11_max_incomplete_event_size`). */
const MAX_HEADER_BYTES = 65_536;

/** Listens on `host:port`; port 0 takes a free one. Rejects when the port is taken. */
export async function openListener(
  handle: RequestListener,
  host: string,
  port: number,
): Promise<HttpListener> {
  const server = createServer(
    {
      requestTimeout: REQUEST_TIMEOUT_MS,
      headersTimeout: HEADERS_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
      noDelay: true,
    },
    handle,
  );
  server.maxConnections = MAX_CONNECTIONS;
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
  const stop = (cut: (socket: Socket) => void): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) cut(socket);
    });
  return {
    host,
    port: (server.address() as AddressInfo).port,
    get connectionCount() {
      return sockets.size;
    },
    reset: () => stop((socket) => socket.resetAndDestroy()),
    close: () => stop((socket) => socket.destroy()),
  };
}

/** `host:port` for a URL or a table, IPv6 in brackets. */
export function hostPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
