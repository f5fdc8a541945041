import type { EndpointId } from "../core/brand.ts";
import type { NumericAttribute } from "./numeric-attribute.ts";

/** Labels of an endpoint as discovery gave them. */
export type Labels = Readonly<Record<string, string>>;

/** Label that says which stage an endpoint serves (llm-d). */
export const ROLE_LABEL = "llm-d.ai/role";

/**
 * Endpoints of one pool as columns. A slot is an index into every column; a removed endpoint's slot is
 * used again with a higher generation. One decision is one synchronous turn, so the table is its own snapshot.
 */
export interface EndpointTable {
  /** Slots in use or free: valid slots are 0..slotCount-1. */
  readonly slotCount: number;
  /** Whether the slot holds an endpoint. */
  isPresent(slot: number): boolean;
  /** Whether the endpoint answered its last health probe and no connect error came since. */
  isReady(slot: number): boolean;
  id(slot: number): EndpointId;
  /** Ids by slot: another array after every change of an endpoint, so that who keeps one knows whom it saw. */
  readonly ids: readonly EndpointId[];
  /** `host:port`, IPv6 in brackets. */
  address(slot: number): string;
  labels(slot: number): Labels;
  /** Rises each time the slot is given to another endpoint. */
  generation(slot: number): number;
  /** LoRA adapters of the engine as last scraped; undefined while unknown. */
  lora(slot: number): LoraState | undefined;
  /** The column, indexed by slot; it is replaced when the table grows, so ask in each cycle. */
  column(attribute: NumericAttribute): Float64Array;
}

/** LoRA adapters of an engine (`vllm:lora_requests_info`). */
export interface LoraState {
  readonly adaptersMax: number;
  readonly running: ReadonlySet<string>;
  readonly waiting: ReadonlySet<string>;
}

/** An endpoint as discovery describes it. */
export interface EndpointSpec {
  readonly id: EndpointId;
  readonly address: string;
  readonly labels: Labels;
}

/** What discovery says happened. `added` for a known id updates its address and labels. */
export type EndpointChange =
  | { readonly kind: "added"; readonly endpoint: EndpointSpec }
  | { readonly kind: "removed"; readonly id: EndpointId };

/** What one scrape of an engine gave; an attribute that is absent keeps its last value. */
export interface MetricSample {
  /** When the scrape began: requests sent later are not in it. */
  readonly startedAtMs: number;
  readonly values: ReadonlyMap<NumericAttribute, number>;
  readonly lora?: LoraState | undefined;
}
