import type { Connector } from "../../sidecar/connectors/connector.ts";
import { nixlv2 } from "../../sidecar/connectors/nixlv2.ts";
import type { UpstreamTls } from "../upstream.ts";

/** What to do when no prefill endpoint could be used. */
export const PREFILL_FALLBACKS = ["decode", "error"] as const;
export type PrefillFallback = (typeof PREFILL_FALLBACKS)[number];

/** How requests are run as two legs. */
export interface LegsSettings {
  readonly connector: Connector;
  readonly fallback: PrefillFallback;
  /** Engine milliseconds that one attempt at one prefill endpoint gets. */
  readonly prefillTimeoutMs: number;
  /** How often the list of prefill endpoints is begun anew after a transient failure. */
  readonly prefillRetryLimit: number;
  /** Wall milliseconds before each. */
  readonly prefillRetryBackoffMs: number;
  readonly prefillTls?: UpstreamTls | undefined;
}

/** What holds unless set; the backoff is llm-d's. */
export const DEFAULT_LEGS_SETTINGS: LegsSettings = {
  connector: nixlv2,
  fallback: "decode",
  prefillTimeoutMs: 30_000,
  prefillRetryLimit: 0,
  prefillRetryBackoffMs: 200,
};
