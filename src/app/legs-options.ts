import {
  DEFAULT_LEGS_SETTINGS,
  type LegsSettings,
  PREFILL_FALLBACKS,
  type PrefillFallback,
} from "../dispatch/legs/legs-settings.ts";
import {
  CONNECTOR_NAMES,
  type ConnectorName,
  namedConnector,
} from "../sidecar/connectors/named-connector.ts";
import { SGLANG_BOOTSTRAP_PORT } from "../sidecar/connectors/sglang.ts";

/** What may be set of running both legs; what is not set is as `DEFAULT_LEGS_SETTINGS`. */
export interface LegsOptions {
  readonly connector?: ConnectorName | undefined;
  readonly sglangBootstrapPort?: number | undefined;
  readonly fallback?: PrefillFallback | undefined;
  /** Milliseconds. */
  readonly prefillTimeoutMs?: number | undefined;
  readonly prefillRetryLimit?: number | undefined;
  /** Milliseconds. */
  readonly prefillRetryBackoffMs?: number | undefined;
}

/** Values that the options may have. */
export const LEGS_CHOICES: {
  readonly connectors: readonly ConnectorName[];
  readonly fallbacks: readonly PrefillFallback[];
} = { connectors: CONNECTOR_NAMES, fallbacks: PREFILL_FALLBACKS };

/** The options with everything filled in. */
export function legsSettings(options: LegsOptions): LegsSettings {
  const unset = DEFAULT_LEGS_SETTINGS;
  return {
    connector: namedConnector(
      options.connector ?? "nixlv2",
      options.sglangBootstrapPort ?? SGLANG_BOOTSTRAP_PORT,
    ),
    fallback: options.fallback ?? unset.fallback,
    prefillTimeoutMs: options.prefillTimeoutMs ?? unset.prefillTimeoutMs,
    prefillRetryLimit: options.prefillRetryLimit ?? unset.prefillRetryLimit,
    prefillRetryBackoffMs: options.prefillRetryBackoffMs ?? unset.prefillRetryBackoffMs,
  };
}
