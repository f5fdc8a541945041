import type { IncomingMessage, ServerResponse } from "node:http";
import type { Answer } from "./error-answer.ts";

/**
 * Wall milliseconds that an unwanted body is still read and dropped after the answer. Closing at once
 * would reset the connection under a client that is writing, and it would lose the answer.
 */
const LINGER_MS = 1000;

/** An unread rest of a body up to this size is dropped by node:http, and the connection stays usable. */
const DROPPED_BYTES_MAX = 64 * 1024;

/** Sends a whole answer; one that leaves much of the request's body unread is the connection's last. */
export function sendAnswer(
  request: IncomingMessage,
  response: ServerResponse,
  answer: Answer,
  isBodyHeldBack: boolean,
): void {
  // A client that leaves while the answer is written is no fault of the program.
  response.on("error", () => undefined);
  if (request.complete || (!isBodyHeldBack && declaredBytes(request) <= DROPPED_BYTES_MAX)) {
    response.writeHead(answer.status, answer.headers).end(answer.body);
    return;
  }
  response.writeHead(answer.status, { ...answer.headers, connection: "close" });
  if (isBodyHeldBack) {
    response.end(answer.body);
    return;
  }
  response.write(answer.body);
  const finish = (): void => {
    clearTimeout(timer);
    request.off("end", finish).off("close", finish);
    if (!response.destroyed) response.end();
  };
  const timer = setTimeout(finish, LINGER_MS);
  request.on("end", finish).on("close", finish).resume();
}

function declaredBytes(request: IncomingMessage): number {
  if (request.headers["transfer-encoding"] !== undefined) return Infinity;
  return Number(request.headers["content-length"] ?? 0);
}
