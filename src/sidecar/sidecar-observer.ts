import type { PdOutcome } from "../core/exchange-report.ts";

/** Port for what is seen of a sidecar's requests; telemetry implements it. */
export interface SidecarObserver {
  /** A request that named no prefill endpoint, or cannot be split, went to the own engine. */
  passedOn(): void;
  /** A split request ended; undefined when it was refused, failed or given up before decode began. */
  splitEnded(outcome: PdOutcome | undefined): void;
  /** An attempt at a prefill endpoint failed; the reason is one of PREFILL_FAULTS. */
  prefillFailed(reason: string): void;
  /** No prefill endpoint that a request named is allowed. */
  denied(): void;
}

/** Sees nothing. */
export const NO_SIDECAR_OBSERVER: SidecarObserver = {
  passedOn: () => undefined,
  splitEnded: () => undefined,
  prefillFailed: () => undefined,
  denied: () => undefined,
};
