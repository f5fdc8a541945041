import type { IncomingHttpHeaders, ServerResponse } from "node:http";
import type { PdOutcome } from "../core/exchange-report.ts";
import type { Log } from "../core/log.ts";
import type { RouterError } from "../core/router-error.ts";
import { ClientSide } from "../dispatch/client-side.ts";
import { headerText, isEventStream, isJson, relayedHeaders } from "../dispatch/headers.ts";
import { formatPdHeader, KV_HEADER, PD_HEADER, parseKvHeader } from "../dispatch/pd-header.ts";
import type {
  ResponseHead,
  Upstream,
  UpstreamCall,
  UpstreamRequest,
  UpstreamSink,
} from "../dispatch/upstream.ts";
import { MAX_JSON_BYTES } from "../dispatch/usage-reader.ts";
import { EventUsageRewriter, rewriteCachedTokens } from "./cached-tokens.ts";
import { SIDECAR_STALL_MS } from "./refuse.ts";

/** What relaying to the own engine needs. */
export interface EngineRelayOptions {
  readonly upstream: Upstream;
  readonly log: Log;
  readonly response: ServerResponse;
  readonly request: UpstreamRequest;
  /** What is known of a split request so far; undefined for a request that is only passed on. */
  readonly pd: Partial<PdOutcome> | undefined;
}

/**
 * Relays one answer of the own engine, for a split request with its facts and the prefill leg's
 * cached tokens.
 */
export function relayEngine(options: EngineRelayOptions): Promise<void> {
  return new EngineRelay(options).run();
}

/** How the body passes: as it comes, event by event, or as a whole to be rewritten. */
type BodyMode = "plain" | "events" | "json";

class EngineRelay implements UpstreamSink {
  readonly #options: EngineRelayOptions;
  readonly #client: ClientSide;
  readonly #finished: Promise<void>;
  readonly #finish: () => void;
  readonly #events: EventUsageRewriter;
  #pd: Partial<PdOutcome>;
  #call: UpstreamCall | undefined;
  #head: ResponseHead | undefined;
  #mode: BodyMode = "plain";
  #collected: Buffer[] = [];
  #collectedBytes = 0;

  constructor(options: EngineRelayOptions) {
    this.#options = options;
    this.#pd = options.pd ?? {};
    this.#events = new EventUsageRewriter(this.#pd.prefillCachedTokens ?? null);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#finished = promise;
    this.#finish = resolve;
    this.#client = new ClientSide(options.response, {
      left: () => this.#settle(),
      drained: () => this.#call?.resume(),
    });
  }

  run(): Promise<void> {
    if (this.#client.isGone) this.#settle();
    else this.#call = this.#options.upstream.send(this.#options.request, this);
    return this.#finished;
  }

  head(head: ResponseHead): void {
    this.#head = head;
    if (this.#options.pd === undefined) {
      this.#client.head(head.status, relayedHeaders(head, new Map()), isEventStream(head.headers));
      return;
    }
    this.#pd = { ...this.#pd, ...parseKvHeader(headerText(head.headers, KV_HEADER)) };
    if (isJson(head.headers)) {
      this.#mode = "json";
    } else if (isEventStream(head.headers)) {
      this.#mode = "events";
      // Rewriting may change the length; a body without one is chunked, which trailers need.
      const trailer = this.#client.takesTrailers ? PD_HEADER : undefined;
      this.#sendHead(head, [
        ["content-length", undefined],
        ["trailer", trailer],
      ]);
    } else {
      this.#sendHead(head, []);
    }
  }

  data(chunk: Buffer): void {
    if (this.#mode === "json") this.#collect(chunk);
    else this.#write(this.#mode === "events" ? this.#events.push(chunk) : chunk);
  }

  end(_trailers: IncomingHttpHeaders): void {
    const head = this.#head;
    if (this.#mode === "json" && head !== undefined) {
      const json = Buffer.concat(this.#collected);
      const rewritten = rewriteCachedTokens(json, this.#pd.prefillCachedTokens ?? null);
      const { bytes, decodeCachedTokens } = rewritten;
      this.#pd = { ...this.#pd, decodeCachedTokens };
      this.#sendHead(head, [["content-length", String(bytes.length)]]);
      this.#write(bytes);
    }
    this.#write(this.#events.flush());
    const { decodeCachedTokens } = this.#events;
    const isTrailed = decodeCachedTokens !== null && this.#client.takesTrailers;
    const trailers = isTrailed
      ? { [PD_HEADER]: formatPdHeader({ decodeCachedTokens }) }
      : undefined;
    this.#client.end(SIDECAR_STALL_MS, trailers);
    this.#settle();
  }

  failed(fault: RouterError): void {
    this.#options.log.warn("engine-failed", { code: fault.code, message: fault.message });
    this.#client.release();
    if (this.#client.hasHead) {
      this.#client.cut();
    } else {
      // An engine that never answered is to be tried elsewhere, and 503 is what a router retries.
      const status = fault.isRetryable ? 503 : 502;
      const { message } = fault;
      const answer = { status, type: "upstream_error", code: "upstream_error", message };
      this.#client.answer(answer, this.#pdHeaders(), SIDECAR_STALL_MS);
    }
    this.#settle();
  }

  #settle(): void {
    this.#call?.abort();
    this.#client.release();
    this.#finish();
  }

  #sendHead(head: ResponseHead, changes: readonly [string, string | undefined][]): void {
    const facts = formatPdHeader(this.#pd);
    const headers = relayedHeaders(head, new Map([...changes, [PD_HEADER, facts]]));
    this.#client.head(head.status, headers, this.#mode === "events");
  }

  #pdHeaders(): string[] {
    return this.#options.pd === undefined ? [] : [PD_HEADER, formatPdHeader(this.#pd)];
  }

  #collect(chunk: Buffer): void {
    this.#collected.push(chunk);
    this.#collectedBytes += chunk.length;
    const head = this.#head;
    if (this.#collectedBytes <= MAX_JSON_BYTES || head === undefined) return;
    // Too large to be rewritten: it passes with the decode engine's own count.
    this.#mode = "plain";
    this.#sendHead(head, []);
    this.#write(Buffer.concat(this.#collected));
    this.#collected = [];
  }

  #write(bytes: Uint8Array): void {
    if (bytes.length > 0 && !this.#client.write(bytes)) this.#call?.pause();
  }
}
