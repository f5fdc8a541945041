import { findJsonMember, type JsonMembers, readJsonMembers } from "../../request/json-members.ts";
import { applyEdits, editMembers } from "../../request/span-edit.ts";
import type { Connector, DecodeLeg } from "./connector.ts";
import { oneTokenBody } from "./one-token.ts";

// llm-d's `nixlv2` connector and vLLM's NixlConnector: what asks an engine to keep the prompt's
// blocks. They are kept only for a request that ends by `length`, after its one token.
const HOLD_BLOCKS =
  '{"do_remote_decode":true,"do_remote_prefill":false,"remote_engine_id":null,' +
  '"remote_block_ids":null,"remote_host":null,"remote_port":null}';

/** vLLM's NixlConnector: the prefill engine's `kv_transfer_params` go to the decode engine as they are. */
export const nixlv2: Connector = {
  split({ body, path }) {
    const object = readJsonMembers(body);
    if (object === undefined) return undefined;
    return {
      kind: "sequential",
      trial: undefined,
      prefill: oneTokenBody(body, object, path, [["kv_transfer_params", HOLD_BLOCKS]]),
      local: body,
      decode: (answer) => decodeLeg(answer, body, object),
    };
  },
};

/** An engine that kept no blocks gives no object: null then lets the decode engine compute all. */
function decodeLeg(
  answer: Uint8Array,
  body: Uint8Array,
  object: JsonMembers,
): DecodeLeg | undefined {
  const top = readJsonMembers(answer);
  if (top === undefined) return undefined;
  const member = findJsonMember(top, "kv_transfer_params");
  const params = member && readJsonMembers(answer, member.valueStart, member.valueEnd);
  const text = params && new TextDecoder().decode(answer.subarray(params.start, params.end));
  const changes = new Map([["kv_transfer_params", text ?? "null"]]);
  return {
    body: applyEdits(body, editMembers(object, changes)),
    hasBlocks: params !== undefined,
    blockCount: params === undefined ? null : blockCountOf(answer, params),
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
