import type { Clock } from "../../core/clock.ts";
import type { RouterError } from "../../core/router-error.ts";
import type { ResponseHead, Upstream, UpstreamRequest } from "../upstream.ts";

// An answer holds one token and the handle; block ids of a 1M-token prompt take about 1 MiB.
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

/** Why a prefill endpoint could not be used; the values of `reason` in metrics and records. */
export const PREFILL_FAULTS = [
  "connect-error",
  "connection-lost",
  "timeout",
  "engine-error",
  "bad-answer",
] as const;
export type PrefillFault = (typeof PREFILL_FAULTS)[number];

/** An attempt that says nothing against the request: another endpoint may take it. */
export interface PrefillFailure {
  readonly kind: "failed";
  readonly fault: PrefillFault;
  /** For the client when nothing else is tried. */
  readonly status: 502 | 503 | 504;
  /** Whether the same endpoint may do better a moment later. */
  readonly isTransient: boolean;
}

/** How one attempt at the prefill leg ended. */
export type PrefillResult =
  | {
      readonly kind: "done";
      readonly answer: Buffer;
      /** Engine milliseconds. */
      readonly prefillMs: number;
    }
  /** The request itself is wrong: no other endpoint would take it. */
  | { readonly kind: "refused"; readonly head: ResponseHead; readonly body: Buffer }
  | PrefillFailure
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

/** Runs one attempt to the end of its answer. */
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
      if (sizeBytes > MAX_ANSWER_BYTES) settle(prefillFailure("bad-answer"));
    },
    end: () => {
      const prefillMs = clock.nowMs() - startedAtMs;
      settle(head === undefined ? prefillFailure("bad-answer") : read(head, chunks, prefillMs));
    },
    failed: (fault) => settle(prefillFailure(faultOf(fault))),
  });
  const timer = setTimeout(() => settle(prefillFailure("timeout")), timeoutMs);
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

/** What an attempt's fault means to the client, and whether it may be repeated (llm-d: 502, 503, 504). */
export function prefillFailure(fault: PrefillFault): PrefillFailure {
  const isTransient = fault === "connect-error" || fault === "connection-lost";
  return { kind: "failed", fault, status: fault === "timeout" ? 504 : 502, isTransient };
}

function read(head: ResponseHead, chunks: readonly Buffer[], prefillMs: number): PrefillResult {
  const { status } = head;
  const body = Buffer.concat(chunks);
  if (status >= 400 && status < 500) return { kind: "refused", head, body };
  if (status >= 500) {
    const isTransient = status >= 502 && status <= 504;
    const failure = prefillFailure("engine-error");
    return { ...failure, status: status === 503 ? 503 : 502, isTransient };
  }
  if (status >= 300) return prefillFailure("bad-answer");
  return { kind: "done", answer: body, prefillMs };
}

function faultOf(fault: RouterError): PrefillFault {
  if (fault.code === "ROUTER_UPSTREAM_CONNECT") return "connect-error";
  return fault.code === "ROUTER_UPSTREAM_PROTOCOL" ? "bad-answer" : "connection-lost";
}
