import { findJsonMember, readJsonMembers } from "../../request/json-members.ts";
import { applyEdits, editMembers } from "../../request/span-edit.ts";
import type { Connector } from "./connector.ts";
import { oneTokenBody } from "./one-token.ts";

// vLLM refuses to compute a prompt of which it finds a smaller share cached; 0 computes any.
const THRESHOLD = "cache_hit_threshold";
const ANY_SHARE: readonly [string, string] = [THRESHOLD, "0"];

/**
 * Blocks by way of a store that both engines reach. A client that names a threshold has the decode
 * engine asked first, and prefill runs only when too little is cached there.
 */
export const sharedStorage: Connector = {
  split({ body, path }) {
    const object = readJsonMembers(body);
    if (object === undefined) return undefined;
    const decode = applyEdits(body, editMembers(object, new Map([ANY_SHARE])));
    return {
      kind: "sequential",
      trial: findJsonMember(object, THRESHOLD) === undefined ? undefined : body,
      prefill: oneTokenBody(body, object, path, [ANY_SHARE]),
      local: decode,
      decode: () => ({ body: decode, hasBlocks: true, blockCount: null }),
    };
  },
};
