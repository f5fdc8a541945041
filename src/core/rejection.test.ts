import assert from "node:assert/strict";
import test from "node:test";
import { REJECTION_ANSWERS, REJECTION_REASONS, type RejectionReason } from "./rejection.ts";

/** Statuses that clients rely on; `true` asks them to come back. */
const PROMISED: Readonly<Record<RejectionReason, readonly [status: number, isRetried: boolean]>> = {
  "invalid-request": [400, false],
  "model-not-found": [404, false],
  "unknown-path": [404, false],
  "method-not-allowed": [405, false],
  "body-too-large": [413, false],
  "unsupported-encoding": [415, false],
  "request-too-slow": [408, false],
  "headers-too-large": [431, false],
  "no-endpoints": [503, true],
  "filtered-out": [429, true],
  overloaded: [503, true],
  draining: [503, true],
  "plugin-failed": [500, false],
};
for (const reason of REJECTION_REASONS) {
  const [status, isRetried] = PROMISED[reason];
  test(`rejection: ${reason} is answered ${status}${isRetried ? " with Retry-After" : ""}`, () => {
    const answer = REJECTION_ANSWERS[reason];
    assert.equal(answer.status, status);
    assert.equal(answer.retryAfterSeconds !== undefined, isRetried);
    assert.equal(answer.type === "invalid_request_error", status < 500 && status !== 429);
  });
}
