import { RECORDED_BLOCK_BYTES } from "../../director/recorded-line.ts";
import { type EndpointTable, ROLE_LABEL } from "../../endpoints/endpoint-table.ts";
import { inFlightRequests } from "../../endpoints/numeric-attribute.ts";
import { RadixBlockIndex } from "../../endpoints/radix-block-index.ts";
import type { InferenceRequest } from "../../request/inference-request.ts";
import type { Placement, SideSummary } from "./replay-report.ts";
import type { ReplaySide } from "./replay-side.ts";

/**
 * Blocks of 64 bytes that the yardstick remembers for each endpoint: a million tokens, about what one
 * H100 keeps of a 20B model.
 */
const BLOCKS_PER_ENDPOINT = 65_536;

/** Counts how one side spread the requests, by the same yardstick for every configuration. */
export class SideTally {
  readonly #index = new RadixBlockIndex(BLOCKS_PER_ENDPOINT);
  readonly #byEndpoint = new Map<string, { requests: number; prefills: number }>();
  #decidedCount = 0;
  #rejectedCount = 0;
  #promptBlocks = 0;
  #hitBlocks = 0;
  #imbalanceSum = 0;

  /** Call after each decision and before anything else happens to the side. */
  decided(side: ReplaySide, placement: Placement, request: InferenceRequest): void {
    const { endpoint, prefill } = placement;
    if (endpoint === null) {
      this.#rejectedCount++;
      return;
    }
    this.#decidedCount++;
    this.#endpoint(endpoint).requests++;
    if (prefill !== null) this.#endpoint(prefill).prefills++;
    const slot = side.slotOf(endpoint);
    const prefillSlot = prefill === null ? undefined : side.slotOf(prefill);
    this.#countHits(side.endpoints, request, [prefillSlot ?? slot, slot]);
    if (slot !== undefined) this.#imbalanceSum += imbalanceAround(side.endpoints, slot);
  }

  /** The slot's endpoint is gone or restarted: it holds nothing. */
  forget(slot: number): void {
    this.#index.purge(slot);
  }

  summary(): SideSummary {
    const decided = Math.max(1, this.#decidedCount);
    return {
      rejectedCount: this.#rejectedCount,
      prefixHitRatio: this.#promptBlocks === 0 ? 0 : this.#hitBlocks / this.#promptBlocks,
      imbalanceRequests: this.#imbalanceSum / decided,
      endpoints: [...this.#byEndpoint]
        .map(([endpoint, { requests, prefills }]) => ({
          endpoint,
          requests,
          shareRatio: requests / decided,
          prefills,
        }))
        .toSorted((one, other) => (one.endpoint < other.endpoint ? -1 : 1)),
    };
  }

  /** The first slot computes the prompt; both hold it afterwards. */
  #countHits(
    endpoints: EndpointTable,
    request: InferenceRequest,
    [computing, ...others]: readonly (number | undefined)[],
  ): void {
    const { prompt } = request;
    const { hashes, blockCount } = prompt.blocks(RECORDED_BLOCK_BYTES, Number.MAX_SAFE_INTEGER);
    if (computing === undefined || blockCount === 0) return;
    const matchedBySlot = new Int32Array(endpoints.slotCount);
    this.#index.match(hashes, blockCount, matchedBySlot);
    this.#promptBlocks += blockCount;
    this.#hitBlocks += matchedBySlot[computing] ?? 0;
    for (const slot of new Set([computing, ...others])) {
      if (slot !== undefined) this.#index.record(hashes, blockCount, slot);
    }
  }

  #endpoint(name: string): { requests: number; prefills: number } {
    let counts = this.#byEndpoint.get(name);
    if (counts === undefined) {
      counts = { requests: 0, prefills: 0 };
      this.#byEndpoint.set(name, counts);
    }
    return counts;
  }
}

/** In flight at the fullest ready endpoint minus the mean, among those with the slot's role. */
function imbalanceAround(endpoints: EndpointTable, slot: number): number {
  const role = endpoints.labels(slot)[ROLE_LABEL];
  const inFlight = endpoints.column(inFlightRequests);
  let most = 0;
  let sum = 0;
  let count = 0;
  for (let other = 0; other < endpoints.slotCount; other++) {
    const isPeer = endpoints.isReady(other) && endpoints.labels(other)[ROLE_LABEL] === role;
    if (!isPeer) continue;
    const requests = inFlight[other] as number;
    most = Math.max(most, requests);
    sum += requests;
    count++;
  }
  return count === 0 ? 0 : most - sum / count;
}
