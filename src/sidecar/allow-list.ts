import { BlockList, isIP, SocketAddress } from "node:net";

/** An entry of an allow-list that cannot be understood. */
export type AllowListFault = { readonly entry: string; readonly message: string };

interface Rule {
  matches(host: string, family: 0 | 4 | 6): boolean;
  /** Undefined allows every port. */
  readonly port: string | undefined;
}

/**
 * Prefill targets that may be asked: addresses, networks and names, each with a port or with all. Names
 * are compared as names: what they resolve to does not count.
 */
export class AllowList {
  readonly #rules: Rule[] = [];
  readonly faults: readonly AllowListFault[];

  /** Entries are `HOST`, `HOST:PORT`, `[IPv6]:PORT`, `NETWORK/BITS` or `NETWORK/BITS:PORT`. */
  constructor(entries: readonly string[]) {
    const faults: AllowListFault[] = [];
    for (const entry of entries) {
      const rule = ruleOf(entry);
      if (typeof rule === "string") faults.push({ entry, message: rule });
      else this.#rules.push(rule);
    }
    this.faults = faults;
  }

  /** Whether a `host:port` is allowed, IPv6 in brackets. */
  isAllowed(hostPort: string): boolean {
    const at = hostPort.lastIndexOf(":");
    const host = plainHost(hostPort.slice(0, at));
    const port = hostPort.slice(at + 1);
    const family = isIP(host) as 0 | 4 | 6;
    return this.#rules.some(
      (rule) => (rule.port === undefined || rule.port === port) && rule.matches(host, family),
    );
  }
}

/** Addresses that may be asked at their ports, as they come and go. */
export class AllowedAddresses {
  #addresses: ReadonlySet<string> = new Set();

  get size(): number {
    return this.#addresses.size;
  }

  /** Allows these `host:port` and no others, IPv6 in brackets. */
  replace(addresses: Iterable<string>): void {
    this.#addresses = new Set(Array.from(addresses, canonical));
  }

  isAllowed(hostPort: string): boolean {
    return this.#addresses.has(canonical(hostPort));
  }
}

/** One spelling of a `host:port`: an IPv6 address and a port have many. */
function canonical(hostPort: string): string {
  const at = hostPort.lastIndexOf(":");
  const host = plainHost(hostPort.slice(0, at));
  const isV6 = isIP(host) === 6;
  const address = isV6 ? new SocketAddress({ address: host, family: "ipv6" }).address : host;
  return `${address} ${Number(hostPort.slice(at + 1))}`;
}

// `10.0.0.0/8`, `gpu-1.pool:8000`, `[fd00::]/8`, `[fd00::1]:8000`.
const ENTRY = /^(\[[0-9a-fA-F:.]+\]|[^\s/:[\]]{1,253})(?:\/(\d{1,3}))?(?::(\d{1,5}))?$/;

function ruleOf(entry: string): Rule | string {
  // A bare IPv6 address has colons of its own and no port.
  const bare = /^([0-9a-fA-F:.]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*)(\/\d{1,3})?$/.exec(entry);
  const [, hostText, bitsText, port] =
    ENTRY.exec(bare === null ? entry : `[${bare[1]}]${bare[2] ?? ""}`) ?? [];
  if (hostText === undefined) return "must be HOST, HOST:PORT or NETWORK/BITS";
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535)) {
    return "the port must be 1 to 65535";
  }
  const normalPort = port === undefined ? undefined : String(Number(port));
  const host = plainHost(hostText);
  const family = isIP(host);
  if (family === 0) {
    if (bitsText !== undefined || hostText.startsWith("[")) return "is no IP address";
    if (!NAME.test(host)) return "is neither an IP address nor a host name";
    return { port: normalPort, matches: (other) => other === host };
  }
  const list = new BlockList();
  const kind = family === 6 ? "ipv6" : "ipv4";
  const bits = bitsText === undefined ? undefined : Number(bitsText);
  if (bits !== undefined && bits > (family === 6 ? 128 : 32)) return "has too many bits";
  if (bits === undefined) list.addAddress(host, kind);
  else list.addSubnet(host, bits, kind);
  return {
    port: normalPort,
    matches: (other, otherFamily) =>
      otherFamily !== 0 && list.check(other, otherFamily === 6 ? "ipv6" : "ipv4"),
  };
}

const NAME = /^[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?$/;

/** Without brackets, in lower case and without the dot that ends an absolute name. */
function plainHost(host: string): string {
  return host
    .replace(/^\[|\]$/g, "")
    .replace(/\.$/, "")
    .toLowerCase();
}
