import { Agent, request as httpRequest } from "undici";
import type { Log } from "../core/log.ts";
import type { KvHandle } from "../engine/engine-core.ts";
import { HANDSHAKE_US, kvBytes, type Nic, transferUs } from "../engine/kv-transfer.ts";
import type { ModelSpec } from "../engine/model-spec.ts";
import { isRecord } from "../request/prompt-bytes.ts";
import type { EngineMetrics } from "./engine-metrics.ts";
import { hostPort } from "./http-listener.ts";
import { type KvLink, linkOf } from "./kv-link.ts";
import type { KvOffer } from "./kv-side-channel.ts";
import type { KvSource } from "./kv-transfer-params.ts";
import type { RealTimeDriver } from "./real-time-driver.ts";

/** What a finished or planned transfer cost, in engine microseconds. */
export interface KvLoadCost {
  readonly bytes: number;
  /** From the handshake's end to the last byte, with the wait for both cards. */
  readonly transferUs: number;
  /** What this load waited for the handshake of its pair; 0 when that was done before. */
  readonly handshakeUs: number;
}

interface Load {
  readonly source: KvSource;
  readonly cut: AbortController;
  cost: KvLoadCost | undefined;
  failure: string | undefined;
  /** The holder may forget the blocks: told so, or it never had them. */
  isSettled: boolean;
}

/** Wall time for the holder to answer; it answers from memory. */
const ASK_TIMEOUT_MS = 5000;
/** An offer has some hundred bytes; the peer is whoever the request names. */
const MAX_ANSWER_BYTES = 16_384;
/** Pairs whose handshake is remembered; the oldest is forgotten and pays again. */
const MAX_PEERS = 1024;

/** Fetches the blocks that decode requests name, over one card and link. */
export class KvLoader {
  readonly #driver: RealTimeDriver;
  readonly #model: ModelSpec;
  readonly #link: KvLink;
  readonly #nic: Nic;
  readonly #metrics: EngineMetrics;
  readonly #log: Log;
  readonly #agent = new Agent({
    allowH2: false,
    connect: { timeout: ASK_TIMEOUT_MS },
    maxResponseSize: MAX_ANSWER_BYTES,
  });
  readonly #loads = new Map<KvHandle, Load>();
  /** Engine time at which the handshake with an engine is done. */
  readonly #handshakes = new Map<string, number>();

  constructor(options: {
    driver: RealTimeDriver;
    model: ModelSpec;
    link: KvLink;
    nic: Nic;
    metrics: EngineMetrics;
    log: Log;
  }) {
    this.#driver = options.driver;
    this.#model = options.model;
    this.#link = options.link;
    this.#nic = options.nic;
    this.#metrics = options.metrics;
    this.#log = options.log;
  }

  /** Says where the blocks lie that a request about to be submitted loads under `handle`. */
  expect(handle: KvHandle, source: KvSource): void {
    this.#loads.set(handle, {
      source,
      cut: new AbortController(),
      cost: undefined,
      failure: undefined,
      isSettled: false,
    });
  }

  /** The engine has room for the blocks and waits for them since `atUs`. */
  wanted(handle: KvHandle, tokenCount: number, atUs: number): void {
    const load = this.#loads.get(handle);
    if (load === undefined) return;
    // Nothing is missing here, or nobody wants it any more: the holder may free its blocks.
    if (tokenCount === 0) this.#release(load);
    else void this.#load(handle, load, tokenCount, atUs);
  }

  /** What the load cost; undefined while unknown, and when nothing had to be moved. */
  cost(handle: KvHandle): KvLoadCost | undefined {
    return this.#loads.get(handle)?.cost;
  }

  failure(handle: KvHandle): string | undefined {
    return this.#loads.get(handle)?.failure;
  }

  /** The request is over. One that still waits gives its blocks up, so the holder frees them. */
  forget(handle: KvHandle): void {
    const load = this.#loads.get(handle);
    if (load === undefined) return;
    this.#loads.delete(handle);
    load.cut.abort();
    this.#release(load);
  }

  /** Cuts all connections; holders keep their blocks until they expire. */
  async close(): Promise<void> {
    for (const load of this.#loads.values()) {
      load.isSettled = true;
      load.cut.abort();
    }
    this.#loads.clear();
    await this.#agent.destroy();
  }

  async #load(handle: KvHandle, load: Load, tokenCount: number, atUs: number): Promise<void> {
    const link = linkOf(this.#link);
    const bytes = kvBytes(this.#model, tokenCount);
    const offer = await this.#ask(load, typeof link === "string" ? 0 : bytes);
    if (!this.#loads.has(handle)) return;
    if (typeof offer === "string") return this.#fail(handle, load, offer);
    if (typeof link === "string") return this.#fail(handle, load, link);
    if (offer.tokenCount < tokenCount) {
      const fault = `${tokenCount} tokens are wanted and ${offer.tokenCount} are held`;
      return this.#fail(handle, load, fault);
    }
    const readyUs = Math.max(atUs, this.#handshakeDoneUs(offer.engineId, atUs));
    const durationUs = Math.max(transferUs(link, bytes), offer.transferUs);
    const startUs = Math.max(this.#nic.reserve(readyUs, durationUs), readyUs + offer.waitUs);
    const endUs = startUs + durationUs;
    const cost = { bytes, transferUs: endUs - readyUs, handshakeUs: readyUs - atUs };
    load.cost = cost;
    this.#driver.kvArrivesAt(handle, endUs, () => {
      this.#metrics.transferred(cost.bytes, cost.transferUs);
      this.#release(load);
    });
  }

  #fail(handle: KvHandle, load: Load, reason: string): void {
    load.failure = reason;
    // The holder keeps its blocks until they expire, as vLLM's does.
    load.isSettled = true;
    this.#metrics.transferFailed();
    this.#log.warn("kv-load-failed", { reason });
    this.#driver.kvFailed(handle);
  }

  #handshakeDoneUs(engineId: string, atUs: number): number {
    const known = this.#handshakes.get(engineId);
    if (known !== undefined) return known;
    if (this.#handshakes.size >= MAX_PEERS) {
      const [oldest] = this.#handshakes.keys();
      if (oldest !== undefined) this.#handshakes.delete(oldest);
    }
    this.#handshakes.set(engineId, atUs + HANDSHAKE_US);
    return atUs + HANDSHAKE_US;
  }

  async #ask(load: Load, bytes: number): Promise<KvOffer | string> {
    const { source } = load;
    const peer = hostPort(source.host, source.port);
    try {
      const answer = await httpRequest(kvUrl(source, bytes), {
        dispatcher: this.#agent,
        signal: AbortSignal.any([load.cut.signal, AbortSignal.timeout(ASK_TIMEOUT_MS)]),
      });
      const json: unknown = await answer.body.json();
      if (answer.statusCode === 200 && isOffer(json)) return json;
      const said =
        isRecord(json) && typeof json["error"] === "string"
          ? json["error"].slice(0, 200)
          : "no offer";
      return `${peer} answered ${answer.statusCode}: ${said}`;
    } catch (error) {
      return `cannot reach ${peer}: ${error instanceof Error ? error.message : String(error)}`;
    }
  }

  #release(load: Load): void {
    if (load.isSettled) return;
    load.isSettled = true;
    const { source } = load;
    httpRequest(kvUrl(source, 0), {
      method: "DELETE",
      dispatcher: this.#agent,
      signal: AbortSignal.timeout(ASK_TIMEOUT_MS),
    })
      .then((answer) => answer.body.dump())
      .catch((error: Error) => {
        const peer = hostPort(source.host, source.port);
        this.#log.warn("kv-release-failed", { peer, reason: error.message });
      });
  }
}

function kvUrl(source: KvSource, bytes: number): string {
  const path = `/kv/${encodeURIComponent(source.requestId)}`;
  const query = bytes > 0 ? `?bytes=${bytes}` : "";
  return `http://${hostPort(source.host, source.port)}${path}${query}`;
}

function isOffer(json: unknown): json is KvOffer {
  if (!isRecord(json) || typeof json["engineId"] !== "string") return false;
  return ["tokenCount", "blockCount", "waitUs", "transferUs"].every(
    (name) => typeof json[name] === "number" && Number(json[name]) >= 0,
  );
}
