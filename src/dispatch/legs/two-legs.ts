import { setTimeout as wait } from "node:timers/promises";
import { barePath } from "../../core/bare-path.ts";
import type { Clock } from "../../core/clock.ts";
import { NO_PD_FACTS, type PdOutcome } from "../../core/exchange-report.ts";
import type { SequentialLegs, SplitLegs } from "../../sidecar/connectors/connector.ts";
import { headerText } from "../headers.ts";
import { KV_HEADER, parseKvHeader } from "../pd-header.ts";
import type { Upstream, UpstreamCall, UpstreamRequest, UpstreamSink } from "../upstream.ts";
import { readUsage } from "../usage-reader.ts";
import { DecodeAnswer } from "./decode-answer.ts";
import type { LegsSettings } from "./legs-settings.ts";
import {
  type PrefillFailure,
  type PrefillFault,
  type PrefillResult,
  prefillFailure,
  runPrefill,
} from "./prefill-leg.ts";
import { TrialAnswer } from "./trial-answer.ts";

/** What running a request takes. */
export interface LegsContext {
  readonly upstream: Upstream;
  readonly clock: Clock;
  /** Wall milliseconds of `prefillTimeoutMs`. */
  readonly prefillTimeoutWallMs: number;
  readonly settings: LegsSettings;
}

/** A request to be run as two legs. */
export interface LegsRequest {
  /** Path with its query; without it, one of SPLIT_PATHS. */
  readonly path: string;
  readonly body: Uint8Array;
  /** Headers of the prefill leg: name, value, name, value …. */
  readonly headers: string[];
  /** `host:port` of the prefill endpoints, best first. */
  readonly prefill: readonly string[];
  /** An attempt at a prefill endpoint failed. */
  passedOver(endpoint: string, fault: PrefillFault): void;
}

/** Where the decode leg goes. */
export type DecodeTarget = Pick<UpstreamRequest, "address" | "headers" | "tls">;

/** Takes the answer of both legs together: the decode leg's, or a 4xx of the prefill leg. */
export interface LegsSink extends UpstreamSink {
  /** No prefill endpoint could be used and decode alone is not wanted; in the place of `failed`. */
  prefillFailed(failure: PrefillFailure): void;
}

/**
 * One request in two legs, to whoever relays its answer like one call. The decode leg may be sent again,
 * to another engine: what prefill gave is kept.
 */
export class TwoLegs {
  readonly #request: LegsRequest;
  readonly #context: LegsContext;
  readonly #legs: SplitLegs;
  readonly #state: LegsState = { facts: undefined, decodeBody: undefined };

  private constructor(request: LegsRequest, context: LegsContext, legs: SplitLegs) {
    this.#request = request;
    this.#context = context;
    this.#legs = legs;
  }

  /** Undefined when the body is no JSON object. */
  static open(request: LegsRequest, context: LegsContext): TwoLegs | undefined {
    const path = barePath(request.path);
    const legs = context.settings.connector.split({ path, body: request.body });
    return legs && new TwoLegs(request, context, legs);
  }

  /** What is known so far; undefined until one of the legs decided how the request runs. */
  get outcome(): PdOutcome | undefined {
    return this.#state.facts;
  }

  /** Runs what is left of the request; its decode leg goes to `target`. */
  send(target: DecodeTarget, sink: LegsSink): UpstreamCall {
    const run = new LegsRun(this.#request, this.#context, this.#state, { target, sink });
    void run.start(this.#legs);
    return run;
  }
}

/** What outlives one run. */
interface LegsState {
  facts: PdOutcome | undefined;
  /** The decode leg once prefill is behind it. */
  decodeBody: Uint8Array | undefined;
}

/** How an attempt at both legs ended: `answering` leaves the rest to the decode leg. */
type Attempt = PrefillResult | { readonly kind: "answering" };

class LegsRun implements UpstreamCall {
  readonly #request: LegsRequest;
  readonly #context: LegsContext;
  readonly #state: LegsState;
  readonly #target: DecodeTarget;
  readonly #sink: LegsSink;
  readonly #abort = new AbortController();
  #call: UpstreamCall | undefined;

  constructor(
    request: LegsRequest,
    context: LegsContext,
    state: LegsState,
    ends: { readonly target: DecodeTarget; readonly sink: LegsSink },
  ) {
    this.#request = request;
    this.#context = context;
    this.#state = state;
    this.#target = ends.target;
    this.#sink = ends.sink;
  }

  pause(): void {
    this.#call?.pause();
  }

  resume(): void {
    this.#call?.resume();
  }

  abort(): void {
    this.#abort.abort();
    this.#call?.abort();
  }

  async start(legs: SplitLegs): Promise<void> {
    const { decodeBody } = this.#state;
    if (decodeBody !== undefined) {
      this.#decode(decodeBody);
      return;
    }
    if (legs.kind === "sequential" && legs.trial !== undefined) {
      if (await this.#isTaken(legs.trial)) return;
    }
    const attempt = await this.#firstOf((endpoint) =>
      legs.kind === "sequential"
        ? this.#prefill(legs, endpoint)
        : this.#both(legs.pair(endpoint), endpoint),
    );
    if (this.#abort.signal.aborted) return;
    switch (attempt.kind) {
      case "done":
        this.#decode(this.#state.decodeBody ?? legs.local);
        return;
      case "refused":
        this.#refuse(attempt);
        return;
      case "failed":
        this.#fallBack(attempt, legs.local);
        return;
      case "answering":
      case "aborted":
        return;
    }
  }

  /** The first attempt that did not fail, else the last failure. */
  async #firstOf(attempt: (endpoint: string) => Promise<Attempt>): Promise<Attempt> {
    const { prefill, passedOver } = this.#request;
    const { prefillRetryLimit, prefillRetryBackoffMs } = this.#context.settings;
    let last: PrefillFailure = prefillFailure("connect-error");
    for (let round = 0; ; round++) {
      for (const endpoint of prefill) {
        const result = await attempt(endpoint);
        if (result.kind === "refused") {
          const reason = `status-${result.head.status}`;
          this.#state.facts = outcomeOf("refused", { reason, prefillEndpoint: endpoint });
        }
        if (result.kind !== "failed") return result;
        last = result;
        passedOver(endpoint, result.fault);
      }
      if (round >= prefillRetryLimit || !last.isTransient) return last;
      await wait(prefillRetryBackoffMs, undefined, { signal: this.#abort.signal }).catch(() => {});
      if (this.#abort.signal.aborted) return { kind: "aborted" };
    }
  }

  /** One attempt at the prefill leg, whose answer must be of the connector's kind. */
  async #prefill(legs: SequentialLegs, endpoint: string): Promise<PrefillResult> {
    const result = await this.#askPrefill(legs.prefill, endpoint);
    if (result.kind !== "done") return result;
    const decode = legs.decode(result.answer);
    if (decode === undefined) return prefillFailure("bad-answer");
    this.#state.decodeBody = decode.body;
    this.#state.facts = outcomeOf(decode.hasBlocks ? "remote" : "local", {
      reason: decode.hasBlocks ? null : "no-kv-params",
      prefillEndpoint: endpoint,
      prefillMs: result.prefillMs,
      handleBlocks: decode.blockCount,
      prefillCachedTokens: readUsage(result.answer)?.cachedTokens ?? null,
    });
    return result;
  }

  /** Both legs at once; until decode answers, a failed prefill leg ends the decode leg as well. */
  #both(body: Uint8Array, endpoint: string): Promise<Attempt> {
    const { promise, resolve } = Promise.withResolvers<Attempt>();
    const facts = outcomeOf("remote", { prefillEndpoint: endpoint });
    this.#state.facts = facts;
    let isAnswering = false;
    const answering = (): void => {
      isAnswering = true;
      resolve({ kind: "answering" });
    };
    const call = this.#decode(body, answering);
    void this.#askPrefill(body, endpoint).then((result) => {
      if (isAnswering) {
        if (result.kind === "failed") this.#request.passedOver(endpoint, result.fault);
        return;
      }
      if (result.kind === "done") {
        this.#state.facts = { ...facts, prefillMs: result.prefillMs };
        return;
      }
      call.abort();
      this.#state.facts = undefined;
      resolve(result);
    });
    return promise;
  }

  #askPrefill(body: Uint8Array, endpoint: string): Promise<PrefillResult> {
    const { path, headers } = this.#request;
    const { upstream, clock, prefillTimeoutWallMs: timeoutMs, settings } = this.#context;
    const { prefillTls: tls } = settings;
    const { signal } = this.#abort;
    const request = { address: endpoint, method: "POST", path, headers, body: [body], tls };
    return runPrefill(request, { upstream, clock, timeoutMs, signal });
  }

  /** Whether the decode engine answers without any prefill; its answer is then under way. */
  #isTaken(body: Uint8Array): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const answer = new TrialAnswer(this.#decodeAnswer(), (verdict) => {
      if (verdict === "taken") {
        this.#state.facts = outcomeOf("local", { reason: "cached" });
      }
      if (verdict === "refused") this.#call?.abort();
      resolve(verdict !== "refused");
    });
    this.#call = this.#sendDecode(body, answer);
    return promise;
  }

  #fallBack(failure: PrefillFailure, body: Uint8Array): void {
    if (this.#context.settings.fallback === "error") {
      this.#sink.prefillFailed(failure);
      return;
    }
    this.#state.facts = outcomeOf("fallback", { reason: failure.fault });
    this.#state.decodeBody = body;
    this.#decode(body);
  }

  #refuse({ head, body }: PrefillResult & { kind: "refused" }): void {
    const { signal } = this.#abort;
    this.#sink.head(head);
    if (body.length > 0 && !signal.aborted) this.#sink.data(body);
    if (!signal.aborted) this.#sink.end({});
  }

  /** Sends the decode leg; `answering` is told once it has a head or has failed. */
  #decode(body: Uint8Array, answering: () => void = () => undefined): UpstreamCall {
    const answer = this.#decodeAnswer();
    const call = this.#sendDecode(body, {
      head: (head) => {
        answering();
        answer.head(head);
      },
      data: (chunk) => answer.data(chunk),
      end: (trailers) => answer.end(trailers),
      failed: (fault) => {
        answering();
        answer.failed(fault);
      },
    });
    this.#call = call;
    return call;
  }

  #sendDecode(body: Uint8Array, sink: UpstreamSink): UpstreamCall {
    const { path } = this.#request;
    return this.#context.upstream.send(
      { ...this.#target, method: "POST", path, body: [body] },
      sink,
    );
  }

  /** The decode leg's way to the sink, with what it tells of itself noted. */
  #decodeAnswer(): UpstreamSink {
    const answer = new DecodeAnswer({
      sink: this.#sink,
      prefillCachedTokens: this.#state.facts?.prefillCachedTokens ?? null,
      signal: this.#abort.signal,
      counted: (decodeCachedTokens) => this.#note({ decodeCachedTokens }),
    });
    return {
      head: (head) => {
        this.#note(parseKvHeader(headerText(head.headers, KV_HEADER)));
        answer.head(head);
      },
      data: (chunk) => answer.data(chunk),
      end: (trailers) => answer.end(trailers),
      failed: (fault) => answer.failed(fault),
    };
  }

  #note(facts: Partial<PdOutcome>): void {
    if (this.#state.facts !== undefined) this.#state.facts = { ...this.#state.facts, ...facts };
  }
}

function outcomeOf(outcome: PdOutcome["outcome"], known: Partial<PdOutcome>): PdOutcome {
  return { outcome, ...NO_PD_FACTS, ...known };
}
