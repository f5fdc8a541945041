import type { IncomingHttpHeaders, ServerResponse } from "node:http";
import type { Log } from "../core/log.ts";
import type { RouterError } from "../core/router-error.ts";
import { ClientSide } from "../dispatch/client-side.ts";
import { isEventStream, relayedHeaders } from "../dispatch/headers.ts";
import type { PrefillFailure } from "../dispatch/legs/prefill-leg.ts";
import type { LegsSink, TwoLegs } from "../dispatch/legs/two-legs.ts";
import { formatPdHeader, PD_HEADER } from "../dispatch/pd-header.ts";
import type { ResponseHead, UpstreamCall } from "../dispatch/upstream.ts";
import { SIDECAR_STALL_MS } from "./refuse.ts";

/** What relaying an answer needs. */
export interface EngineRelayOptions {
  readonly log: Log;
  readonly response: ServerResponse;
  /** The legs of a split request; undefined for one that is only passed on. */
  readonly legs: TwoLegs | undefined;
  /** Sends the request; called once, unless the client has left. */
  send(sink: LegsSink): UpstreamCall;
}

/** Relays one answer to the client, for a split request with what is known of its legs. */
export function relayEngine(options: EngineRelayOptions): Promise<void> {
  return new EngineRelay(options).run();
}

class EngineRelay implements LegsSink {
  readonly #options: EngineRelayOptions;
  readonly #client: ClientSide;
  readonly #finished: Promise<void>;
  readonly #finish: () => void;
  #call: UpstreamCall | undefined;
  #isTrailed = false;

  constructor(options: EngineRelayOptions) {
    this.#options = options;
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
    else this.#call = this.#options.send(this);
    return this.#finished;
  }

  head(head: ResponseHead): void {
    const isStream = isEventStream(head.headers);
    const facts = this.#pdHeaders();
    this.#isTrailed = isStream && facts.length > 0 && this.#client.takesTrailers;
    const trailer = this.#isTrailed ? ["trailer", PD_HEADER] : [];
    const headers = [...relayedHeaders(head, new Map()), ...trailer, ...facts];
    this.#client.head(head.status, headers, { isStream, isChunked: head.isChunked });
  }

  data(chunk: Buffer): void {
    if (!this.#client.isRelaying && !this.#client.write(chunk)) this.#call?.pause();
  }

  framed(bytes: Buffer, isLast: boolean): void {
    if (this.#client.isRelaying && !this.#client.relay(bytes, isLast)) this.#call?.pause();
  }

  end(_trailers: IncomingHttpHeaders): void {
    const decodeCachedTokens = this.#options.legs?.outcome?.decodeCachedTokens ?? null;
    const trailers =
      this.#isTrailed && decodeCachedTokens !== null
        ? { [PD_HEADER]: formatPdHeader({ decodeCachedTokens }) }
        : undefined;
    this.#client.end(SIDECAR_STALL_MS, trailers);
    this.#settle();
  }

  failed(fault: RouterError): void {
    const { code, message } = fault;
    this.#options.log.warn("engine-failed", { code, message });
    // An engine that never answered is to be tried elsewhere, and 503 is what a router retries.
    this.#break(fault.isRetryable ? 503 : 502, "upstream_error", message);
  }

  prefillFailed({ fault, status }: PrefillFailure): void {
    const type = fault === "timeout" ? "timeout" : "upstream_error";
    this.#break(status, type, `prefill failed: ${fault}`);
  }

  #break(status: number, type: string, message: string): void {
    this.#client.release();
    if (this.#client.hasHead) {
      this.#client.cut();
    } else {
      const answer = { status, type, code: type, message };
      this.#client.answer(answer, this.#pdHeaders(), SIDECAR_STALL_MS);
    }
    this.#settle();
  }

  #settle(): void {
    this.#call?.abort();
    this.#client.release();
    this.#finish();
  }

  #pdHeaders(): string[] {
    const outcome = this.#options.legs?.outcome;
    return outcome === undefined ? [] : [PD_HEADER, formatPdHeader(outcome)];
  }
}
