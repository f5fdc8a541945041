import type { EndpointId } from "../core/brand.ts";
import type { EndpointChange, EndpointSpec } from "../endpoints/endpoint-table.ts";

/** An endpoint as a source found it. */
export interface DiscoveredEndpoint extends EndpointSpec {
  /** Tells a pod from its successor of the same name and address; undefined where nothing does. */
  readonly incarnation?: string | undefined;
}

/** What leads from the endpoints that were known to those that are. */
export interface EndpointDiff {
  /** Removals first. */
  readonly changes: readonly EndpointChange[];
  /** Addresses that no endpoint has any more. */
  readonly goneAddresses: readonly string[];
}

/** The endpoints of one source; each look at the source replaces them all. */
export class EndpointSet {
  #known: ReadonlyMap<EndpointId, DiscoveredEndpoint> = new Map();

  get size(): number {
    return this.#known.size;
  }

  /** What the source holds from here on. An endpoint that is given twice is the later one. */
  replace(endpoints: readonly DiscoveredEndpoint[]): EndpointDiff {
    const before = this.#known;
    const after = new Map(endpoints.map((endpoint) => [endpoint.id, endpoint]));
    this.#known = after;
    const changes: EndpointChange[] = [];
    const left = new Set<string>();
    for (const { id, incarnation, address } of before.values()) {
      const next = after.get(id);
      if (next?.address !== address) left.add(address);
      if (next === undefined || next.incarnation !== incarnation) {
        changes.push({ kind: "removed", id });
      }
    }
    for (const endpoint of after.values()) {
      const { id, address, labels } = endpoint;
      if (left.size > 0) left.delete(address);
      const known = before.get(id);
      if (known === undefined || !isSame(known, endpoint)) {
        changes.push({ kind: "added", endpoint: { id, address, labels } });
      }
    }
    return { changes, goneAddresses: [...left] };
  }
}

function isSame(one: DiscoveredEndpoint, other: DiscoveredEndpoint): boolean {
  if (one === other) return true;
  if (one.address !== other.address || one.incarnation !== other.incarnation) return false;
  if (one.labels === other.labels) return true;
  const names = Object.keys(one.labels);
  return (
    names.length === Object.keys(other.labels).length &&
    names.every((name) => one.labels[name] === other.labels[name])
  );
}
