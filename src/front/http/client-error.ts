import { randomUUID } from "node:crypto";
import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import type { Rejection } from "../../core/rejection.ts";
import type { Connection } from "./connection.ts";
import { errorAnswer } from "./error-answer.ts";

/** Wall milliseconds that the client has to take the answer before the connection is cut. */
const LINGER_MS = 1000;

/** Answers what node:http could not read as a request, and ends the connection. */
export function answerClientError(error: Error, socket: Duplex, connection: Connection): void {
  const rejection = rejectionOf("code" in error ? String(error.code) : "");
  if (connection.body !== undefined && socket.writable && rejection !== undefined) {
    connection.body.refuse(rejection);
    return;
  }
  // Part of another answer may be on the wire, so nothing can be written between.
  if (connection.openCount > 0 || !socket.writable || rejection === undefined) {
    socket.destroy();
    return;
  }
  const { status, headers, body } = errorAnswer(rejection, null);
  const lines = Object.entries({ ...headers, "x-request-id": randomUUID(), connection: "close" });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${head}\r\n${body.toString()}`);
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}

/** Codes of node:http and its parser; undefined for a connection that is gone. */
function rejectionOf(code: string): Rejection | undefined {
  switch (code) {
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return { reason: "request-too-slow", message: "the request did not arrive in time" };
    case "HPE_HEADER_OVERFLOW":
      return { reason: "headers-too-large", message: "the request's headers are too large" };
    // The client closed its side before its request was whole.
    case "HPE_INVALID_EOF_STATE":
      return undefined;
    default:
      return code.startsWith("HPE_")
        ? { reason: "invalid-request", message: "this is not a well-formed HTTP/1.1 request" }
        : undefined;
  }
}
