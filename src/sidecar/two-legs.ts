import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../core/clock.ts";
import type { PdOutcome } from "../core/exchange-report.ts";
import { invariant } from "../core/invariant.ts";
import type { Log } from "../core/log.ts";
import { ClientSide } from "../dispatch/client-side.ts";
import { forwardedHeaders } from "../dispatch/headers.ts";
import type { Upstream, UpstreamRequest } from "../dispatch/upstream.ts";
import { decodeBody, prefillBody } from "./connectors/nixlv2.ts";
import { relayEngine } from "./engine-relay.ts";
import { type PrefillResult, runPrefill } from "./prefill-leg.ts";
import { refuse, SIDECAR_STALL_MS } from "./refuse.ts";

/** What to do when no prefill endpoint could be used. */
export type PrefillFallback = "decode" | "error";

/** What all split requests of a sidecar share. */
export interface TwoLegsContext {
  readonly upstream: Upstream;
  readonly clock: Clock;
  readonly log: Log;
  /** `host:port` of the decode engine. */
  readonly engineAddress: string;
  readonly prefillFallback: PrefillFallback;
  /** Wall milliseconds that one prefill endpoint gets. */
  readonly prefillTimeoutMs: number;
}

/** One request to be split, with its body and the prefill endpoints, best first. */
export interface SplitRequest {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly requestId: string;
  readonly body: Uint8Array;
  readonly endpoints: readonly string[];
}

/**
 * Runs the prefill leg, then the decode leg with the handle, and relays the answer of the latter.
 */
export async function serveTwoLegs(split: SplitRequest, context: TwoLegsContext): Promise<void> {
  const { response, body } = split;
  const bytes = prefillBody(body);
  if (bytes === undefined) {
    return refuse(response, 400, "invalid_request_error", "the body is not a JSON object");
  }
  const prefill = await firstPrefill(split, bytes, context);
  const { result, endpoint } = prefill;
  switch (result.kind) {
    case "aborted":
      return;
    case "refused":
      return relayRefusal(response, result);
    case "failed":
      if (context.prefillFallback === "error") {
        const type = result.fault === "timeout" ? "timeout" : "upstream_error";
        return refuse(response, result.status, type, `prefill failed: ${result.fault}`);
      }
      return decode(split, body, { outcome: "fallback", reason: result.fault }, context);
    case "done": {
      const { kvTransferParams, blockCount } = result.handle;
      const facts: Partial<PdOutcome> = {
        outcome: kvTransferParams === undefined ? "local" : "remote",
        reason: kvTransferParams === undefined ? "no-kv-params" : null,
        prefillEndpoint: endpoint,
        prefillMs: result.prefillMs,
        handleBlocks: blockCount,
        prefillCachedTokens: result.cachedTokens,
      };
      return decode(split, decodeBody(body, kvTransferParams) ?? body, facts, context);
    }
  }
}

/** The first endpoint's result that is not a failure, else the last failure. */
async function firstPrefill(
  split: SplitRequest,
  body: Uint8Array,
  context: TwoLegsContext,
): Promise<{ readonly endpoint: string; readonly result: PrefillResult }> {
  const abort = new AbortController();
  const client = new ClientSide(split.response, {
    left: () => abort.abort(),
    drained: () => undefined,
  });
  if (client.isGone) abort.abort();
  const { upstream, clock, log, prefillTimeoutMs: timeoutMs } = context;
  const attempt = { upstream, clock, timeoutMs, signal: abort.signal };
  let tried: { endpoint: string; result: PrefillResult } | undefined;
  for (const endpoint of split.endpoints) {
    const result = await runPrefill(legRequest(split, endpoint, body), attempt);
    tried = { endpoint, result };
    if (result.kind !== "failed") break;
    log.warn("prefill-failed", { endpoint, fault: result.fault });
  }
  client.release();
  invariant(tried !== undefined, "a split request names a prefill endpoint");
  return tried;
}

function decode(
  split: SplitRequest,
  body: Uint8Array,
  pd: Partial<PdOutcome>,
  context: TwoLegsContext,
): Promise<void> {
  const { upstream, log, engineAddress } = context;
  const request = legRequest(split, engineAddress, body);
  return relayEngine({ upstream, log, response: split.response, request, pd });
}

function legRequest(split: SplitRequest, address: string, body: Uint8Array): UpstreamRequest {
  const { request, requestId } = split;
  const changes = new Map([
    ["x-request-id", requestId],
    // The answers are read and rewritten, so nobody may compress them.
    ["accept-encoding", "identity"],
  ]);
  const headers = forwardedHeaders(request.headers, changes);
  return { address, method: "POST", path: request.url ?? "/", headers, body };
}

function relayRefusal(
  response: ServerResponse,
  refusal: PrefillResult & { kind: "refused" },
): void {
  const client = new ClientSide(response, { left: () => undefined, drained: () => undefined });
  client.release();
  if (client.isGone) return;
  const { status, contentType, body } = refusal;
  const type = contentType === undefined ? [] : ["content-type", contentType];
  client.head(status, [...type, "content-length", String(body.length)], false);
  client.write(body);
  client.end(SIDECAR_STALL_MS);
}
