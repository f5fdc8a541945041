/** How two engines hand over KV-cache blocks: what each leg of a split request says. */
export interface Connector {
  /** Bodies of the legs of one request; undefined when its body is no JSON object. */
  split(request: SplitBody): SplitLegs | undefined;
}

/** The client's request as a connector sees it. */
export interface SplitBody {
  /** One of SPLIT_PATHS. */
  readonly path: string;
  readonly body: Uint8Array;
}

/** Legs that follow one another or leave together. */
export type SplitLegs = SequentialLegs | ConcurrentLegs;

/** The decode leg waits for the prefill leg's answer. */
export interface SequentialLegs {
  readonly kind: "sequential";
  /** Asked of the decode engine before there is any prefill; its refusal is an answer of its own. */
  readonly trial: Uint8Array | undefined;
  readonly prefill: Uint8Array;
  /** For a decode engine that computes the prompt itself. */
  readonly local: Uint8Array;
  /** The decode leg after this answer of the prefill leg; undefined when it is no such answer. */
  decode(answer: Uint8Array): DecodeLeg | undefined;
}

/** Both legs leave at once and the engines find one another. */
export interface ConcurrentLegs {
  readonly kind: "concurrent";
  /** For a decode engine that computes the prompt itself. */
  readonly local: Uint8Array;
  /** What both engines are sent when prefill runs at this `host:port`; another text for each call. */
  pair(prefillAddress: string): Uint8Array;
}

/** A decode leg that follows a prefill leg. */
export interface DecodeLeg {
  readonly body: Uint8Array;
  /** Whether the prefill engine keeps the blocks for it. */
  readonly hasBlocks: boolean;
  /** Blocks that were named; null where none were. */
  readonly blockCount: number | null;
}
