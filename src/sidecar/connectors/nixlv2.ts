import { findJsonMember, type JsonMembers, readJsonMembers } from "../../request/json-members.ts";
import { applyEdits, editMembers } from "../../request/span-edit.ts";

// llm-d's `nixlv2` connector and vLLM's NixlConnector: what asks an engine to keep the prompt's
// blocks.
const HOLD_BLOCKS =
  '{"do_remote_decode":true,"do_remote_prefill":false,"remote_engine_id":null,' +
  '"remote_block_ids":null,"remote_host":null,"remote_port":null}';

// One token by `length`: vLLM keeps the blocks only then. It refuses a `min_tokens` above the
// limit.
const PREFILL_CHANGES: ReadonlyMap<string, string | undefined> = new Map([
  ["kv_transfer_params", HOLD_BLOCKS],
  ["stream", "false"],
  ["stream_options", undefined],
  ["max_tokens", "1"],
  ["max_completion_tokens", "1"],
  ["min_tokens", "1"],
]);

/** What the prefill engine's answer hands over. */
export interface PrefillHandle {
  /** The JSON object as the engine wrote it; undefined when it kept no blocks. */
  readonly kvTransferParams: Uint8Array | undefined;
  /** Blocks named in it; null when it names none. */
  readonly blockCount: number | null;
}

/** The client's body as the prefill leg sends it; undefined when the body is no JSON object. */
export function prefillBody(body: Uint8Array): Uint8Array | undefined {
  const object = readJsonMembers(body);
  return object && applyEdits(body, editMembers(object, PREFILL_CHANGES));
}

/**
 * The client's body with the handle in it, or with null for an engine that is to compute all
 * itself.
 */
export function decodeBody(
  body: Uint8Array,
  kvTransferParams: Uint8Array | undefined,
): Uint8Array | undefined {
  const object = readJsonMembers(body);
  const text = kvTransferParams === undefined ? "null" : new TextDecoder().decode(kvTransferParams);
  return object && applyEdits(body, editMembers(object, new Map([["kv_transfer_params", text]])));
}

/** Reads the handle of a prefill answer; undefined when the answer is no JSON object. */
export function prefillHandle(answer: Uint8Array): PrefillHandle | undefined {
  const top = readJsonMembers(answer);
  if (top === undefined) return undefined;
  const params = findJsonMember(top, "kv_transfer_params");
  const object = params && readJsonMembers(answer, params.valueStart, params.valueEnd);
  if (object === undefined) return { kvTransferParams: undefined, blockCount: null };
  return {
    kvTransferParams: answer.subarray(object.start, object.end),
    blockCount: blockCountOf(answer, object),
  };
}

/** `remote_block_ids` is a list of ids, in newer engines one list a KV-cache group. */
function blockCountOf(answer: Uint8Array, params: JsonMembers): number | null {
  const ids = findJsonMember(params, "remote_block_ids");
  if (ids === undefined) return null;
  // Ids beyond 2^53 lose digits here, which does not matter for counting them.
  const list: unknown = JSON.parse(
    new TextDecoder().decode(answer.subarray(ids.valueStart, ids.valueEnd)),
  );
  return Array.isArray(list) ? list.flat().length : null;
}
