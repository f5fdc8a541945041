import { type Era, FEATURE_GATES } from "./compatibility.ts";
import { mappingOf } from "./mapping-table.ts";
import { nearMiss } from "./near-miss.ts";
import type { ConfigNote, UsedMapping } from "./router-config.ts";
import type { SourceNode } from "./source-node.ts";

/** Checks `featureGates` as llm-d does: `name`, `name=true` or `name=false`. */
export function checkFeatureGates(
  node: SourceNode,
  context: { era: Era; notes: ConfigNote[]; mappings: UsedMapping[] },
): void {
  for (const item of node.items()) {
    const text = item.text();
    if (text === undefined) continue;
    const { name, value } = parseFeatureGate(text);
    if (value !== undefined && !GO_BOOLEANS.has(value)) {
      item.fault(`${name} is true or false, not ${JSON.stringify(value)}`, ["true", "false"]);
      continue;
    }
    const removed = mappingOf("gate", name);
    if (removed !== undefined && context.era === "bytes") {
      context.mappings.push({ mapping: removed, position: item.position });
    } else if (!FEATURE_GATES.some((gate) => gate === name)) {
      item.fault(`unknown feature gate ${name}${nearMiss(name, FEATURE_GATES)}`, FEATURE_GATES);
    }
  }
  context.notes.push({ message: "featureGates has no effect here yet", position: node.position });
}

/** Splits `name=value`; the value is in lower case, undefined without `=`. */
export function parseFeatureGate(text: string): { name: string; value: string | undefined } {
  const at = text.indexOf("=");
  if (at === -1) return { name: text.trim(), value: undefined };
  return {
    name: text.slice(0, at).trim(),
    value: text
      .slice(at + 1)
      .trim()
      .toLowerCase(),
  };
}

/** What Go's strconv.ParseBool takes, in lower case. */
const GO_BOOLEANS: ReadonlySet<string> = new Set(["1", "t", "true", "0", "f", "false"]);
