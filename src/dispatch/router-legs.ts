import { barePath } from "../core/bare-path.ts";
import type { Clock } from "../core/clock.ts";
import type { EndCause } from "../core/rejection.ts";
import { ROUTING_HEADERS, type Target } from "../director/dispatch-plan.ts";
import { joined } from "../request/received-body.ts";
import { SPLIT_PATHS } from "../sidecar/connectors/one-token.ts";
import { wallLimitMs } from "./deadline.ts";
import type { DispatchJob } from "./dispatcher.ts";
import { forwardedHeaders } from "./headers.ts";
import type { LegsSettings } from "./legs/legs-settings.ts";
import type { PrefillFault } from "./legs/prefill-leg.ts";
import { TwoLegs } from "./legs/two-legs.ts";
import type { Upstream } from "./upstream.ts";

/** Legs that the router runs by itself. */
export interface RouterLegs extends LegsSettings {
  /** How many prefill endpoints of a plan are tried. */
  readonly candidates: number;
}

/** What running them takes. */
export interface RouterLegsContext {
  readonly upstream: Upstream;
  readonly clock: Clock;
  /** Engine seconds per wall second. */
  readonly timeScale: number;
  readonly legs: RouterLegs;
}

/** The legs of a decided request; undefined for one that goes to one endpoint, whose sidecar may split it. */
export function openRouterLegs(
  { job, body }: { readonly job: DispatchJob; readonly body: readonly Uint8Array[] },
  { upstream, clock, timeScale, legs: settings }: RouterLegsContext,
  passedOver: (target: Target, fault: PrefillFault) => void,
): TwoLegs | undefined {
  const { plan, request } = job;
  if (plan.legs !== "router" || plan.prefill.length === 0) return undefined;
  const path = barePath(request.path);
  const targets = plan.prefill.slice(0, settings.candidates);
  if (targets.length === 0 || !SPLIT_PATHS.includes(path)) return undefined;
  return TwoLegs.open(
    {
      path: request.path,
      body: joined(body),
      headers: engineHeaders(job, undefined),
      prefill: targets.map(({ address }) => address),
      passedOver(address, fault) {
        const target = targets.find((candidate) => candidate.address === address);
        if (target !== undefined) passedOver(target, fault);
      },
    },
    {
      upstream,
      clock,
      prefillTimeoutWallMs: wallLimitMs(settings.prefillTimeoutMs, timeScale),
      settings,
    },
  );
}

/** Headers for an endpoint; those of a plan that steer a sidecar are for sidecars only. */
export function engineHeaders(job: DispatchJob, target: Target | undefined): string[] {
  const { plan } = job;
  const changes = new Map<string, string | undefined>();
  // Those are never forwarded.
  if (plan.removeHeaders !== ROUTING_HEADERS) {
    for (const name of plan.removeHeaders) changes.set(name.toLowerCase(), undefined);
  }
  for (const [name, value] of plan.setHeaders) changes.set(name.toLowerCase(), value);
  for (const [name, value] of target?.headers ?? []) changes.set(name.toLowerCase(), value);
  if (plan.legs === "router") for (const name of ROUTING_HEADERS) changes.set(name, undefined);
  changes.set("x-request-id", job.request.id);
  // Usage is read on the way, so nobody may compress it.
  changes.set("accept-encoding", "identity");
  return forwardedHeaders(job.headers, changes);
}

/** How a request ends whose prefill leg failed for good. */
export function endOfPrefill(fault: PrefillFault): EndCause {
  switch (fault) {
    case "connect-error":
      return "connect-failed";
    case "connection-lost":
    case "timeout":
      return fault;
    case "engine-error":
    case "bad-answer":
      return "engine-error";
  }
}
