import { RouterError } from "../core/router-error.ts";

/** How far a request had come when its connection was lost. */
export type CallProgress = "sent" | "answering";

/** No connection within the time for it, or refused. */
export function connectFault(cause: Error | undefined): RouterError {
  const code: unknown = cause && Reflect.get(cause, "code");
  const reason = typeof code === "string" ? ` (${code})` : "";
  const options = { source: "engine", isRetryable: true, cause } as const;
  return new RouterError("ROUTER_UPSTREAM_CONNECT", `no connection to engine${reason}`, options);
}

/** The connection ended; another endpoint may be tried until an answer began. */
export function lostFault(progress: CallProgress, cause: Error | undefined): RouterError {
  const when = progress === "answering" ? "within its answer" : "before it answered";
  return new RouterError("ROUTER_UPSTREAM_RESET", `engine closed the connection ${when}`, {
    source: "engine",
    isRetryable: progress === "sent",
    cause,
  });
}

/** The engine's bytes are no HTTP that we rely on. */
export function answerFault(cause: Error): RouterError {
  const options = { source: "engine", isRetryable: false, cause } as const;
  return new RouterError("ROUTER_UPSTREAM_PROTOCOL", "engine's answer is not HTTP", options);
}

/** The request holds what HTTP cannot carry. */
export function requestFault(cause: unknown): RouterError {
  const options = { source: "client", isRetryable: false, cause } as const;
  return new RouterError("ROUTER_UPSTREAM_PROTOCOL", "request cannot be forwarded", options);
}

/** We end the request ourselves. */
export function routerFault(message: string, cause?: unknown): RouterError {
  const options = { source: "router", isRetryable: false, cause } as const;
  return new RouterError("ROUTER_UPSTREAM_RESET", message, options);
}
