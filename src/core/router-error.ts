/** Which side of the router a fault came from. */
export type FaultSource = "client" | "engine" | "router";

/** Stable codes of faults that cross I/O (`docs/errors.md` lists each). */
export const ROUTER_ERROR_CODES = [
  "ROUTER_UPSTREAM_CONNECT",
  "ROUTER_UPSTREAM_RESET",
  "ROUTER_UPSTREAM_PROTOCOL",
] as const;
export type RouterErrorCode = (typeof ROUTER_ERROR_CODES)[number];

/** An operating fault: who caused it and whether another endpoint may be tried. */
export class RouterError extends Error {
  override readonly name: string = "RouterError";
  readonly code: RouterErrorCode;
  readonly source: FaultSource;
  readonly isRetryable: boolean;

  constructor(
    code: RouterErrorCode,
    message: string,
    options: { source: FaultSource; isRetryable: boolean; cause?: unknown },
  ) {
    super(message, { cause: options.cause });
    this.code = code;
    this.source = options.source;
    this.isRetryable = options.isRetryable;
  }
}
