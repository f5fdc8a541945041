import { ROLE_LABEL } from "../../endpoints/endpoint-table.ts";
import { definePlugin, noParams, type PluginDefinition } from "../../plugin/define-plugin.ts";

// An endpoint without a label serves decode only (llm-d 0.7).
const DECODE_ROLES: readonly string[] = [
  "decode",
  "both",
  "prefill-decode",
  "encode-prefill-decode",
];
/** Values of the role label that serve prefill. */
export const PREFILL_ROLES: readonly string[] = [
  "prefill",
  "both",
  "prefill-decode",
  "encode-prefill",
  "encode-prefill-decode",
];
const ENCODE_ROLES: readonly string[] = ["encode", "encode-prefill", "encode-prefill-decode"];

/** Keeps endpoints that can decode, and those without a role. */
export const decodeFilter: PluginDefinition = roleFilter("decode-filter", DECODE_ROLES, true);

/** Keeps endpoints whose role includes prefill. */
export const prefillFilter: PluginDefinition = roleFilter("prefill-filter", PREFILL_ROLES, false);

/** Keeps endpoints whose role includes encoding of images, audio and video. */
export const encodeFilter: PluginDefinition = roleFilter("encode-filter", ENCODE_ROLES, false);

function roleFilter(
  type: string,
  roles: readonly string[],
  keepsUnlabelled: boolean,
): PluginDefinition {
  return definePlugin({
    type,
    stability: "stable",
    state: "none",
    roles: ["filter"],
    params: noParams,
    create: () => ({
      filter(cycle, candidates, reject) {
        for (let i = 0; i < candidates.count; i++) {
          const role = cycle.endpoints.labels(candidates.slots[i] as number)[ROLE_LABEL];
          const isKept = role === undefined ? keepsUnlabelled : roles.includes(role);
          if (!isKept) reject(i, role === undefined ? "no role label" : `role is ${role}`);
        }
      },
    }),
  });
}
