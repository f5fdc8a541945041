import type { IncomingHttpHeaders } from "node:http";
import type { RequestId } from "../../core/brand.ts";
import type { DispatchPlan } from "../../director/dispatch-plan.ts";
import { OWN_HEADER_PREFIX } from "../../director/dispatch-plan.ts";
import type { HeaderChange } from "./processing-reply.ts";

/** `host:port` of the endpoints that the proxy may use, best first, as a comma list. */
export function destinationOf(plan: DispatchPlan): string {
  const [first] = plan.primary;
  // Headers for one endpoint alone would be wrong for the next one.
  const count = first?.headers === undefined ? plan.advertised : 1;
  return plan.primary
    .slice(0, Math.max(1, count))
    .map(({ address }) => address)
    .join(",");
}

/** What a decided request's headers become on their way to the engine. */
export function requestChange(
  received: IncomingHttpHeaders,
  plan: DispatchPlan,
  sent: {
    readonly id: RequestId;
    /** Header that tells the proxy the destination. */
    readonly destinationHeader: string;
    /** Undefined for a request without a body. */
    readonly bodyBytes: number | undefined;
  },
): HeaderChange {
  const set = new Map([...plan.setHeaders, ...(plan.primary[0]?.headers ?? [])]);
  set.set(sent.destinationHeader, destinationOf(plan));
  if (sent.bodyBytes !== undefined) set.set("content-length", String(sent.bodyBytes));
  if (received["x-request-id"] !== sent.id) set.set("x-request-id", sent.id);
  const remove = plan.removeHeaders.filter((name) => !set.has(name));
  for (const name in received) {
    const isOwn = name.startsWith(OWN_HEADER_PREFIX) && !set.has(name);
    if (isOwn && !remove.includes(name)) remove.push(name);
  }
  return { set, remove };
}
