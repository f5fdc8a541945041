import type { EndpointId } from "../core/brand.ts";
import type { SpanEdit } from "../request/span-edit.ts";

/** An endpoint chosen by a decision; generation tells a re-used slot apart. */
export interface Target {
  readonly slot: number;
  readonly generation: number;
  readonly id: EndpointId;
  /** `host:port`. */
  readonly address: string;
  /** Headers for this endpoint alone. */
  readonly headers?: ReadonlyMap<string, string>;
}

/** Who runs prefill and decode as two requests. */
export type LegRunner = "sidecar" | "router";

/** How a decided request is sent: one shape for http, extproc and simulate. */
export interface DispatchPlan {
  /** Destination and its fallbacks, best first: 32 or as many as are advertised; never empty. */
  readonly primary: readonly Target[];
  /** How many of `primary` `epp` advertises. */
  readonly advertised: number;
  /** Prefill choice, best first; empty when the request is not split. */
  readonly prefill: readonly Target[];
  /** Encode choice, best first; empty without images, audio or video. */
  readonly encode: readonly Target[];
  readonly legs: LegRunner;
  readonly setHeaders: ReadonlyMap<string, string>;
  /** Lower-case names of client headers that must not reach an engine. */
  readonly removeHeaders: readonly string[];
  /** Changes to the received body. */
  readonly edits: readonly SpanEdit[];
}

/** Headers by which a client could steer sidecars and proxies; always removed. */
export const ROUTING_HEADERS = [
  "x-prefiller-host-port",
  "x-encoder-hosts-ports",
  "x-data-parallel-host-port",
  "x-kv-cache-source-host-port",
  "x-gateway-destination-endpoint",
  "x-gateway-destination-endpoint-subset",
  "x-prefill",
] as const;

/** Every header with this prefix is the router's own and is removed as well. */
export const OWN_HEADER_PREFIX = "x-switchyard-";
