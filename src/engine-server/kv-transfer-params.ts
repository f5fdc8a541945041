import { isRecord } from "../request/prompt-bytes.ts";

/** Where the blocks of a prompt lie: an engine's side channel and the name it gave them. */
export interface KvSource {
  readonly host: string;
  readonly port: number;
  readonly requestId: string;
  /** Tokens that the holder announced; undefined where it did not say. */
  readonly tokenCount: number | undefined;
}

/** What `kv_transfer_params` ask of an engine (vLLM NixlConnector). */
export type KvDemand =
  | { readonly kind: "none" }
  /** Keep the prompt's blocks for another engine. */
  | { readonly kind: "hold" }
  | { readonly kind: "load"; readonly source: KvSource }
  /** Asks for a load without saying from where: vLLM warns and computes locally. */
  | { readonly kind: "incomplete" };

/** Longest name of held blocks that is passed on. */
const MAX_REQUEST_ID_CHARS = 256;

/** Reads `kv_transfer_params`; anything but an object asks for nothing. */
export function readKvDemand(raw: unknown): KvDemand {
  if (!isRecord(raw)) return { kind: "none" };
  if (raw["do_remote_decode"] === true) return { kind: "hold" };
  if (raw["do_remote_prefill"] !== true) return { kind: "none" };
  const { remote_host: host, remote_port: port, remote_request_id: requestId } = raw;
  if (typeof host !== "string" || !/^[\w.:-]{1,253}$/.test(host)) return { kind: "incomplete" };
  if (!isCount(port) || port > 65_535) return { kind: "incomplete" };
  if (typeof requestId !== "string" || requestId === "") return { kind: "incomplete" };
  if (requestId.length > MAX_REQUEST_ID_CHARS) return { kind: "incomplete" };
  const tokens = raw["remote_num_tokens"];
  const tokenCount = isCount(tokens) ? tokens : undefined;
  return { kind: "load", source: { host, port, requestId, tokenCount } };
}

/** What a holder says of blocks it keeps. */
export interface HeldBlocks {
  readonly engineId: string;
  readonly requestId: string;
  readonly host: string;
  readonly port: number;
  readonly tensorParallel: number;
  readonly tokenCount: number;
  readonly blockCount: number;
}

/** The `kv_transfer_params` of a prefill answer, which the decode request carries verbatim. */
export function heldParams(held: HeldBlocks): object {
  return {
    do_remote_prefill: true,
    do_remote_decode: false,
    // Blocks go by their place under the request; the reader asks for them by the request's name.
    remote_block_ids: Array.from({ length: held.blockCount }, (_, place) => place),
    remote_engine_id: held.engineId,
    remote_request_id: held.requestId,
    remote_host: held.host,
    remote_port: held.port,
    tp_size: held.tensorParallel,
    remote_num_tokens: held.tokenCount,
  };
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value > 0;
}
