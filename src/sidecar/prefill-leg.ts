import type { Clock } from "../core/clock.ts";
import type { RouterError } from "../core/router-error.ts";
import { headerText } from "../dispatch/headers.ts";
import type { ResponseHead, Upstream, UpstreamRequest } from "../dispatch/upstream.ts";
import { readUsage } from "../dispatch/usage-reader.ts";
import { type PrefillHandle, prefillHandle } from "./connectors/nixlv2.ts";

// An answer holds one token and the handle; block ids of a 1M-token prompt take about 1 MiB.
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

/** Why a prefill endpoint could not be used; the values of `reason` in metrics and records. */
export type PrefillFault =
  | "connect-error"
  | "connection-lost"
  | "timeout"
  | "engine-error"
  | "bad-answer";

/** How one attempt at the prefill leg ended. */
export type PrefillResult =
  | {
      readonly kind: "done";
      readonly handle: PrefillHandle;
      readonly cachedTokens: number | null;
      /** Engine milliseconds. */
      readonly prefillMs: number;
    }
  /** The request itself is wrong: no other endpoint would take it. */
  | {
      readonly kind: "refused";
      readonly status: number;
      readonly contentType: string | undefined;
      readonly body: Buffer;
    }
  | { readonly kind: "failed"; readonly fault: PrefillFault; readonly status: 502 | 503 | 504 }
  /** The client left. */
  | { readonly kind: "aborted" };

/** What every attempt needs. */
export interface PrefillContext {
  readonly upstream: Upstream;
  readonly clock: Clock;
  /** Wall milliseconds to the end of the answer. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Runs one attempt; its generated token is dropped, what counts is the handle. */
export function runPrefill(
  request: UpstreamRequest,
  context: PrefillContext,
): Promise<PrefillResult> {
  const { promise, resolve } = Promise.withResolvers<PrefillResult>();
  const { upstream, clock, timeoutMs, signal } = context;
  const startedAtMs = clock.nowMs();
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  let head: ResponseHead | undefined;

  const call = upstream.send(request, {
    head: (received) => {
      head = received;
    },
    data: (chunk) => {
      chunks.push(chunk);
      sizeBytes += chunk.length;
      if (sizeBytes > MAX_ANSWER_BYTES) settle(failure("bad-answer"));
    },
    end: () => {
      const prefillMs = clock.nowMs() - startedAtMs;
      settle(head === undefined ? failure("bad-answer") : read(head, chunks, prefillMs));
    },
    failed: (fault) => settle(failure(faultOf(fault))),
  });
  const timer = setTimeout(() => settle(failure("timeout")), timeoutMs);
  const onAbort = (): void => settle({ kind: "aborted" });
  signal.addEventListener("abort", onAbort);
  if (signal.aborted) onAbort();

  function settle(result: PrefillResult): void {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
    call.abort();
    resolve(result);
  }
  return promise;
}

function read(head: ResponseHead, chunks: readonly Buffer[], prefillMs: number): PrefillResult {
  const { status } = head;
  const body = Buffer.concat(chunks);
  if (status >= 400 && status < 500) {
    const contentType = headerText(head.headers, "content-type");
    return { kind: "refused", status, contentType, body };
  }
  if (status >= 500) return { ...failure("engine-error"), status: status === 503 ? 503 : 502 };
  const handle = status < 300 ? prefillHandle(body) : undefined;
  if (handle === undefined) return failure("bad-answer");
  return { kind: "done", handle, cachedTokens: readUsage(body)?.cachedTokens ?? null, prefillMs };
}

function failure(fault: PrefillFault): PrefillResult & { kind: "failed" } {
  return { kind: "failed", fault, status: fault === "timeout" ? 504 : 502 };
}

function faultOf(fault: RouterError): PrefillFault {
  if (fault.code === "ROUTER_UPSTREAM_CONNECT") return "connect-error";
  return fault.code === "ROUTER_UPSTREAM_PROTOCOL" ? "bad-answer" : "connection-lost";
}
