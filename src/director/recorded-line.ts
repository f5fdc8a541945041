import type { Outcome } from "../core/exchange-report.ts";
import type { Json } from "../core/json.ts";
import type { EndCause, RejectionReason } from "../core/rejection.ts";
import type { EndpointChange } from "../endpoints/endpoint-table.ts";
import type { RequestKind } from "../request/inference-request.ts";

/** First member of a recording's first line. */
export const RECORDING_FORMAT = "switchyard-recording";
/** Rises when a reader of the version before would misread a line. */
export const RECORDING_VERSION = 2;
/** Prompt bytes of the blocks that every request is recorded with: vLLM's 16 tokens. */
export const RECORDED_BLOCK_BYTES = 64;

/** A line of a recording; the first is the header, the last tells that the file is whole. */
export type RecordedLine = RecordingHeader | RecordedInput | LostLines | ClosedRecording;

/** What the recorded cores were made with. */
export interface RecordingHeader {
  readonly kind: "header";
  readonly format: typeof RECORDING_FORMAT;
  readonly version: number;
  /** Wall time of the first line, ISO 8601; all other times are engine milliseconds. */
  readonly startedAt: string;
  readonly seed: number;
  readonly isCorrectingMetrics: boolean;
  readonly prefillCandidates: number;
  readonly retryLimit: number;
  readonly inFlightMax: number;
  readonly exchangeTimeoutMs: number;
  readonly pools: readonly RecordedPool[];
}

/** One pool; its configuration is the one in effect at the start. */
export interface RecordedPool {
  readonly pool: string;
  /** Empty where the engines were asked what they serve. */
  readonly model: string;
  readonly config: RecordedConfig;
}

/** A resolved configuration: what both eras end in, so it needs no second reading of a file. */
export interface RecordedConfig {
  readonly plugins: readonly {
    readonly name: string;
    readonly type: string;
    readonly parameters: Json;
  }[];
  readonly profiles: readonly {
    readonly name: string;
    readonly plugins: readonly { readonly pluginRef: string; readonly weight: number }[];
  }[];
  readonly objectives: readonly { readonly name: string; readonly priority: number }[];
  readonly rewrites: readonly {
    readonly name: string;
    readonly rules: readonly {
      readonly matches: readonly string[];
      readonly targets: readonly { readonly model: string; readonly weight?: number }[];
    }[];
  }[];
  /** What loading said of its plugins. */
  readonly notes: readonly string[];
}

/** One call of a pool's core, in the order of the calls. */
export type RecordedInput = { readonly pool: string; readonly atMs: number } & (
  | {
      readonly kind: "arrive";
      readonly request: RecordedRequest;
      readonly decision: RecordedDecision;
    }
  | {
      readonly kind: "retry";
      readonly decision: number;
      readonly failed: string;
      /** Endpoint that took over; null when none did. */
      readonly to: string | null;
    }
  | { readonly kind: "firstByte"; readonly decision: number }
  | {
      readonly kind: "end";
      readonly decision: number;
      readonly how: EndCause;
      readonly outcome: Outcome;
    }
  | {
      readonly kind: "metrics";
      readonly slot: number;
      readonly startedAtMs: number;
      /** By the column's name; null is not a number. */
      readonly values: Readonly<Record<string, number | null>>;
      readonly lora: RecordedLora | null;
    }
  | {
      readonly kind: "kvEvents";
      readonly slot: number;
      readonly events: readonly RecordedKvEvent[];
    }
  | { readonly kind: "endpoint"; readonly change: EndpointChange }
  | { readonly kind: "health"; readonly slot: number; readonly isReady: boolean }
  | { readonly kind: "config"; readonly config: RecordedConfig }
  | { readonly kind: "drain" | "tick" }
);

/** A request without its text: sizes, block chains and the headers that plugins read. */
export interface RecordedRequest {
  readonly id: string;
  readonly kind: RequestKind;
  /** Without its query. */
  readonly path: string;
  readonly model: string;
  readonly isStreaming: boolean;
  readonly isUsageStreamed: boolean;
  readonly maxOutputTokens: number | null;
  readonly bodyBytes: number;
  readonly mediaCount: number;
  readonly promptBytes: number;
  readonly chains: readonly RecordedChain[];
  /** What was known of the engine's own tokens; null where the prompt's bytes are its tokens. */
  readonly tokens: RecordedTokens | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly onlyHosts: readonly string[] | null;
  /** The chains under the model that a rule put in the place of the asked one. */
  readonly renamed: {
    readonly model: string;
    readonly chains: readonly RecordedChain[];
    readonly tokens: RecordedTokens | null;
  } | null;
}

/** Known tokens of a prompt without the tokens: sizes and chains. */
export interface RecordedTokens {
  readonly count: number;
  readonly isWhole: boolean;
  readonly sizeBytes: number;
  readonly chains: readonly RecordedChain[];
}

/** Chained hashes of a prompt's leading blocks. */
export interface RecordedChain {
  readonly blockBytes: number;
  /** Pairs of lo and hi words, little-endian, base64. */
  readonly hashes: string;
}

/** What became of an arrival. */
export interface RecordedDecision {
  /** Null when the request was refused before it was counted. */
  readonly number: number | null;
  readonly endpoint: string | null;
  readonly prefill: string | null;
  readonly rejection: RejectionReason | null;
  readonly profiles: readonly {
    readonly profile: string;
    readonly picked: string | null;
    /** Total of the picked one minus the runner-up's. */
    readonly margin: number | null;
  }[];
}

/** LoRA adapters of an engine. */
export interface RecordedLora {
  readonly adaptersMax: number;
  readonly running: readonly string[];
  readonly waiting: readonly string[];
}

/** A KV event with the router's own chain in the place of token ids, which are text. */
export type RecordedKvEvent =
  | {
      readonly kind: "stored";
      readonly blockHashes: readonly RecordedBlockHash[];
      readonly parentHash: RecordedBlockHash | null;
      readonly blockTokens: number;
      /**
       * As in `RecordedChain`: empty where the event had no tokens, null where the parent was unknown and
       * nothing was hashed.
       */
      readonly chain: string | null;
      /** Absent for the GPU. */
      readonly medium?: string;
    }
  | {
      readonly kind: "removed";
      readonly blockHashes: readonly RecordedBlockHash[];
      readonly medium?: string;
    }
  | { readonly kind: "cleared" };

/** An engine's name of a block: JSON has no big integers, so they and strings carry a letter in front. */
export type RecordedBlockHash = number | `n${string}` | `s${string}`;

/** Here lines are missing: what follows cannot be decided as it was. */
export interface LostLines {
  readonly kind: "lost";
  readonly count: number;
}

/** The recording ended with the program, not with a crash or a full disk. */
export interface ClosedRecording {
  readonly kind: "closed";
  readonly lines: number;
  readonly lost: number;
}
