/** Why a request was refused before it was dispatched: the single list. */
export const REJECTION_REASONS = [
  "invalid-request",
  "model-not-found",
  "unknown-path",
  "method-not-allowed",
  "body-too-large",
  "unsupported-encoding",
  "request-too-slow",
  "headers-too-large",
  "no-endpoints",
  "filtered-out",
  "overloaded",
  "draining",
  "plugin-failed",
] as const;
export type RejectionReason = (typeof REJECTION_REASONS)[number];

/** A refusal with a text for the client: it says what to do and holds no client input. */
export interface Rejection {
  readonly reason: RejectionReason;
  readonly message: string;
}

/** How an accepted request ended; each request has exactly one. */
export const END_CAUSES = [
  "completed",
  "engine-error",
  "client-left",
  "connect-failed",
  "connection-lost",
  "timeout",
  "expired",
] as const;
export type EndCause = (typeof END_CAUSES)[number];

/** What a client is told for a reason. */
export interface RejectionAnswer {
  readonly status: number;
  /** OpenAI `error.type`. */
  readonly type: string;
  /** OpenAI `error.code`. */
  readonly code: string | null;
  /** Seconds for `Retry-After`. */
  readonly retryAfterSeconds?: number;
}

/** Status, type and code of every reason (`docs/errors.md` shows the same table). */
export const REJECTION_ANSWERS: Readonly<Record<RejectionReason, RejectionAnswer>> = {
  "invalid-request": { status: 400, type: "invalid_request_error", code: null },
  "model-not-found": { status: 404, type: "invalid_request_error", code: "model_not_found" },
  "unknown-path": { status: 404, type: "invalid_request_error", code: null },
  "method-not-allowed": { status: 405, type: "invalid_request_error", code: null },
  "body-too-large": { status: 413, type: "invalid_request_error", code: null },
  "unsupported-encoding": { status: 415, type: "invalid_request_error", code: null },
  "request-too-slow": { status: 408, type: "invalid_request_error", code: null },
  "headers-too-large": { status: 431, type: "invalid_request_error", code: null },
  "no-endpoints": { status: 503, type: "no_endpoints", code: "no_endpoints", retryAfterSeconds: 1 },
  "filtered-out": { status: 429, type: "overloaded", code: "overloaded", retryAfterSeconds: 1 },
  overloaded: { status: 503, type: "overloaded", code: "overloaded", retryAfterSeconds: 5 },
  draining: { status: 503, type: "draining", code: "draining", retryAfterSeconds: 1 },
  "plugin-failed": { status: 500, type: "plugin_failed", code: "plugin_failed" },
};
