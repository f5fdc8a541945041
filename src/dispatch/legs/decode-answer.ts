import type { IncomingHttpHeaders } from "node:http";
import type { RouterError } from "../../core/router-error.ts";
import { isEventStream, isJson } from "../headers.ts";
import type { ResponseHead, UpstreamSink } from "../upstream.ts";
import { MAX_JSON_BYTES } from "../usage-reader.ts";
import { EventUsageRewriter, rewriteCachedTokens } from "./cached-tokens.ts";

/** Where the answer of a decode leg goes, and what is to be told of it. */
export interface DecodeAnswerOptions {
  readonly sink: UpstreamSink;
  /** What the client is to see in place of the decode engine's count; null leaves that. */
  readonly prefillCachedTokens: number | null;
  /** Whoever gets the answer gave it up. */
  readonly signal: AbortSignal;
  /** The decode engine's own count, before the client's head or end that could show it. */
  counted(decodeCachedTokens: number): void;
}

/**
 * Passes the answer of a decode leg on with the prefill leg's cached tokens: a stream event by event, JSON
 * as a whole, so that its head can tell all that is known, anything else as it comes.
 */
export class DecodeAnswer implements UpstreamSink {
  readonly #options: DecodeAnswerOptions;
  readonly #events: EventUsageRewriter;
  #mode: "plain" | "events" | "json" = "plain";
  #head: ResponseHead | undefined;
  #collected: Buffer[] = [];
  #collectedBytes = 0;

  constructor(options: DecodeAnswerOptions) {
    this.#options = options;
    this.#events = new EventUsageRewriter(options.prefillCachedTokens);
  }

  head(head: ResponseHead): void {
    this.#head = head;
    if (isJson(head.headers)) {
      this.#mode = "json";
    } else if (isEventStream(head.headers)) {
      this.#mode = "events";
      this.#options.sink.head(withLength(head, undefined));
    } else {
      this.#options.sink.head(head);
    }
  }

  data(chunk: Buffer): void {
    if (this.#mode === "json") this.#collect(chunk);
    else this.#pass(this.#mode === "events" ? this.#events.push(chunk) : chunk);
  }

  end(trailers: IncomingHttpHeaders): void {
    const { sink, signal, counted, prefillCachedTokens } = this.#options;
    const head = this.#head;
    if (this.#mode === "json" && head !== undefined) {
      const json = Buffer.concat(this.#collected);
      const { bytes, decodeCachedTokens } = rewriteCachedTokens(json, prefillCachedTokens);
      if (decodeCachedTokens !== null) counted(decodeCachedTokens);
      sink.head(withLength(head, bytes.length));
      this.#pass(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    } else {
      this.#pass(this.#events.flush());
      const { decodeCachedTokens } = this.#events;
      if (decodeCachedTokens !== null) counted(decodeCachedTokens);
    }
    if (!signal.aborted) sink.end(trailers);
  }

  failed(fault: RouterError): void {
    this.#options.sink.failed(fault);
  }

  #collect(chunk: Buffer): void {
    this.#collected.push(chunk);
    this.#collectedBytes += chunk.length;
    const head = this.#head;
    if (this.#collectedBytes <= MAX_JSON_BYTES || head === undefined) return;
    // Too large to be rewritten: it passes with the decode engine's own count.
    this.#mode = "plain";
    this.#options.sink.head(head);
    this.#pass(Buffer.concat(this.#collected));
    this.#collected = [];
  }

  #pass(chunk: Buffer): void {
    if (chunk.length > 0 && !this.#options.signal.aborted) this.#options.sink.data(chunk);
  }
}

/** The head with another length of its body; undefined leaves it to be sent in chunks. */
function withLength(head: ResponseHead, sizeBytes: number | undefined): ResponseHead {
  const raw = head.rawHeaders;
  const rawHeaders = raw.filter((_, i) => !isLength(raw[i % 2 === 0 ? i : i - 1]));
  if (sizeBytes !== undefined) rawHeaders.push("content-length", String(sizeBytes));
  return { ...head, rawHeaders };
}

function isLength(name: string | undefined): boolean {
  return name?.toLowerCase() === "content-length";
}
