import type { Duplex } from "node:stream";
import type { Rejection } from "../../core/rejection.ts";

/** A body whose request can still be refused. */
export interface RefusableBody {
  refuse(rejection: Rejection): void;
}

/** What the front knows of a client's connection. */
export interface Connection {
  /** Requests read from it and not yet answered to the end. */
  openCount: number;
  /** The body that is being read; undefined while none is. */
  body: RefusableBody | undefined;
}

/** Connections by socket; an entry goes with its socket. */
export class Connections {
  readonly #bySocket = new WeakMap<Duplex, Connection>();

  of(socket: Duplex): Connection {
    let connection = this.#bySocket.get(socket);
    if (connection === undefined) {
      connection = { openCount: 0, body: undefined };
      this.#bySocket.set(socket, connection);
    }
    return connection;
  }
}
