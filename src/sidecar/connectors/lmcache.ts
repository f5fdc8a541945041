import { readJsonMembers } from "../../request/json-members.ts";
import type { Connector } from "./connector.ts";
import { oneTokenBody } from "./one-token.ts";

/** Blocks by way of LMCache, which both engines use by themselves: only the order of the legs matters. */
export const lmcache: Connector = {
  split({ body, path }) {
    const object = readJsonMembers(body);
    if (object === undefined) return undefined;
    return {
      kind: "sequential",
      trial: undefined,
      prefill: oneTokenBody(body, object, path, []),
      local: body,
      decode: () => ({ body, hasBlocks: true, blockCount: null }),
    };
  },
};
