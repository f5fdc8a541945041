import type { Clock } from "../../core/clock.ts";
import type { ExchangeObserver } from "../../core/exchange-report.ts";
import type { Log } from "../../core/log.ts";
import type { DecisionNumber } from "../../director/router-core.ts";
import type { BlockHasher } from "../../request/block-hasher.ts";
import type { BodyScanner } from "../../request/body-scanner.ts";
import type { BodyBudget } from "../http/body-budget.ts";
import type { FrontPool } from "../http/front-pool.ts";

/** How the proxy is told where a request goes. */
export interface DestinationHint {
  /** Header and metadata key. */
  readonly key: string;
  /** Namespace of the metadata; the key stands alone where it is empty. */
  readonly namespace: string;
}

/** The protocol's own names (GAIE). */
export const DEFAULT_DESTINATION_HINT: DestinationHint = {
  key: "x-gateway-destination-endpoint",
  namespace: "envoy.lb",
};

/** What exchanges are served with. */
export interface ExtProcContext {
  readonly pool: Pick<FrontPool, "key" | "core" | "isNamed">;
  readonly hasher: BlockHasher;
  readonly scanner: BodyScanner;
  readonly observer: ExchangeObserver;
  /** Engine time. */
  readonly clock: Clock;
  readonly log: Log;
  readonly budget: BodyBudget;
  readonly bodyBytesMax: number;
  /** Wall milliseconds from a request's headers to the last byte of its body. */
  readonly requestTimeoutMs: number;
  readonly destination: DestinationHint;
  /** Whether a gateway's subset of endpoints is obeyed. */
  readonly isSubsetObeyed: boolean;
  /** Scores of a decision's candidates by address, for the proxy; undefined where it is not told. */
  readonly scoresOf?: ((decision: DecisionNumber) => ReadonlyMap<string, number>) | undefined;
}
