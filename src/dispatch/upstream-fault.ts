import { RouterError, type RouterErrorCode } from "../core/router-error.ts";

/** How far a request had come when it failed. */
export type CallProgress = "unsent" | "sent" | "answering";

const INVALID_REQUEST_CODES = new Set(["UND_ERR_INVALID_ARG", "UND_ERR_NOT_SUPPORTED"]);
const INVALID_ANSWER_CODES = new Set([
  "UND_ERR_HEADERS_OVERFLOW",
  "UND_ERR_RES_CONTENT_LENGTH_MISMATCH",
]);

/**
 * What an error of the upstream client means to us; another endpoint may be tried until an answer
 * began.
 */
export function upstreamFault(error: Error, progress: CallProgress): RouterError {
  const code = textOf(error, "code");
  const fault = (
    routerCode: RouterErrorCode,
    message: string,
    source: "engine" | "router" | "client",
    isRetryable: boolean,
  ): RouterError => new RouterError(routerCode, message, { source, isRetryable, cause: error });

  if (code === "UND_ERR_DESTROYED") {
    return fault("ROUTER_UPSTREAM_RESET", "the router closes its connections", "router", false);
  }
  if (INVALID_REQUEST_CODES.has(code)) {
    return fault("ROUTER_UPSTREAM_PROTOCOL", "request cannot be forwarded", "client", false);
  }
  if (code.startsWith("HPE_") || INVALID_ANSWER_CODES.has(code)) {
    return fault("ROUTER_UPSTREAM_PROTOCOL", "engine's answer is not HTTP", "engine", false);
  }
  if (progress === "unsent" && isConnectError(error, code)) {
    return fault("ROUTER_UPSTREAM_CONNECT", `no connection to engine (${code})`, "engine", true);
  }
  const message =
    progress === "answering"
      ? "engine closed the connection within its answer"
      : "engine closed the connection before it answered";
  return fault("ROUTER_UPSTREAM_RESET", message, "engine", progress !== "answering");
}

/** An idle connection that dies with a request waiting for it says nothing against the engine. */
function isConnectError(error: Error, code: string): boolean {
  const syscall = textOf(error, "syscall");
  return code !== "UND_ERR_CLOSED" && syscall !== "read" && syscall !== "write";
}

function textOf(error: Error, field: "code" | "syscall"): string {
  const value: unknown = Reflect.get(error, field);
  return typeof value === "string" ? value : "";
}
