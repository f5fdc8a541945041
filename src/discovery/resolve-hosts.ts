import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import type { EndpointSpec } from "../endpoints/endpoint-table.ts";

/** Endpoints by IP address. */
export interface ResolvedEndpoints {
  /** Without those whose host never had an address. */
  readonly endpoints: readonly EndpointSpec[];
  /** Hosts that have no address at present. */
  readonly unresolved: readonly string[];
}

/** All addresses of a host; rejects when it has none. */
export type LookUp = (host: string) => Promise<readonly string[]>;

/**
 * Puts IP addresses in the place of host names: a proxy's subset hint names addresses, and Envoy's
 * ORIGINAL_DST cluster takes nothing else.
 */
export class HostResolver {
  readonly #lookUp: LookUp;
  /** Address in use by host: it stays while the host has it, so that name servers may rotate. */
  #addresses: ReadonlyMap<string, string> = new Map();

  constructor(lookUp: LookUp = lookUpAll) {
    this.#lookUp = lookUp;
  }

  /** A host that cannot be resolved keeps the address that it had. */
  async resolve(endpoints: readonly EndpointSpec[]): Promise<ResolvedEndpoints> {
    const hosts = new Set(endpoints.map(({ address }) => hostPart(address)).filter(isName));
    const unresolved: string[] = [];
    const addresses = new Map<string, string>();
    const find = async (host: string): Promise<void> => {
      const before = this.#addresses.get(host);
      const found = await this.#lookUp(host).catch((): readonly string[] => []);
      if (found.length === 0) unresolved.push(host);
      const address = before === undefined || found.includes(before) ? before : undefined;
      const next = address ?? found[0] ?? before;
      if (next !== undefined) addresses.set(host, next);
    };
    await Promise.all([...hosts].map(find));
    this.#addresses = addresses;
    return {
      endpoints: endpoints.flatMap((endpoint) => {
        const host = hostPart(endpoint.address);
        if (!isName(host)) return [endpoint];
        const ip = addresses.get(host);
        if (ip === undefined) return [];
        const port = endpoint.address.slice(host.length + 1);
        return [{ ...endpoint, address: socketAddress(ip, port) }];
      }),
      unresolved,
    };
  }
}

/** Whether some endpoint is named by its host's name. */
export function hasHostNames(endpoints: readonly EndpointSpec[]): boolean {
  return endpoints.some(({ address }) => isName(hostPart(address)));
}

/** `ip:port`, IPv6 in brackets. */
export function socketAddress(ip: string, port: number | string): string {
  return isIP(ip) === 6 ? `[${ip}]:${port}` : `${ip}:${port}`;
}

function hostPart(address: string): string {
  return address.slice(0, address.lastIndexOf(":"));
}

function isName(host: string): boolean {
  return !host.startsWith("[") && isIP(host) === 0;
}

async function lookUpAll(host: string): Promise<readonly string[]> {
  const found = await lookup(host, { all: true });
  return found.map(({ address }) => address);
}
