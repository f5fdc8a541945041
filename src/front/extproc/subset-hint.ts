import type { JsonObject } from "@bufbuild/protobuf";
import { hostOf } from "../../director/only-hosts.ts";

/** Names of the hint in the metadata that a gateway sends (endpoint picker protocol of GAIE). */
const NAMESPACE = "envoy.lb.subset_hint";
const KEY = "x-gateway-destination-endpoint-subset";

/**
 * Hosts that a gateway allows; undefined where it names none, empty where it allows nobody. Items that
 * are no text are ignored, and so is a value that is no list (llm-d).
 */
export function subsetHint(
  metadata: Readonly<Record<string, JsonObject>> | undefined,
): ReadonlySet<string> | undefined {
  const hint = metadata?.[NAMESPACE]?.[KEY];
  if (!Array.isArray(hint)) return undefined;
  return new Set(hint.flatMap((item) => (typeof item === "string" ? [hostOf(item)] : [])));
}
