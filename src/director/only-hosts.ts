import type { EndpointTable } from "../endpoints/endpoint-table.ts";

/**
 * Compacts `slots[0, count)` to the endpoints on one of the hosts and returns how many are left. Ports
 * do not count: a proxy names the pod, whichever of its ports serves (llm-d).
 */
export function keepHosts(
  slots: Int32Array,
  count: number,
  endpoints: EndpointTable,
  hosts: ReadonlySet<string>,
): number {
  let kept = 0;
  for (let i = 0; i < count; i++) {
    const slot = slots[i] as number;
    if (hosts.has(hostOf(endpoints.address(slot)))) slots[kept++] = slot;
  }
  return kept;
}

/** Host of `host:port`, `[ipv6]:port` or a host alone. */
export function hostOf(address: string): string {
  const bracketed = /^\[([^\]]*)\]/.exec(address)?.[1];
  if (bracketed !== undefined) return bracketed;
  const colon = address.indexOf(":");
  // More than one colon without brackets is an IPv6 address without a port.
  return colon === -1 || colon !== address.lastIndexOf(":") ? address : address.slice(0, colon);
}
