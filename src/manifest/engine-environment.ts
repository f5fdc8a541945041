import type { SourceNode } from "../config/source-node.ts";
import type { EngineWord } from "./engine-flags.ts";
import type { EnvVariable } from "./service.ts";
import { shellWords } from "./shell-words.ts";
import { type ObjectMeta, readTemplated } from "./template-text.ts";

/** Variable whose value KServe's start script appends to vLLM's command line. */
const ARGUMENTS_VARIABLE = "VLLM_ADDITIONAL_ARGS";

/** A container's environment, and vLLM's command line as it follows from it. */
export interface EngineEnvironment {
  readonly env: readonly EnvVariable[];
  readonly words: readonly EngineWord[];
}

/**
 * Reads container `main`: `VLLM_ADDITIONAL_ARGS` by shell rules comes before the container's own
 * `args`.
 */
export function readEngineEnvironment(
  container: SourceNode | undefined,
  meta: ObjectMeta,
): EngineEnvironment {
  const env: EnvVariable[] = [];
  let additional: readonly EngineWord[] = [];
  for (const node of container?.at("env")?.items() ?? []) {
    const name = requiredName(node);
    if (name === undefined) continue;
    const valueNode = node.at("value");
    const value = valueNode === undefined ? undefined : readTemplated(valueNode, meta);
    const valueFrom = describeValueSource(node.at("valueFrom"));
    env.push({ name, value, valueFrom, position: node.position });
    if (name === ARGUMENTS_VARIABLE && valueNode !== undefined && value !== undefined)
      additional = splitWords(value, valueNode);
  }
  const own = (container?.at("args")?.items() ?? []).flatMap((node) => {
    const text = readTemplated(node, meta);
    return text === undefined ? [] : [{ text, node }];
  });
  return { env, words: [...additional, ...own] };
}

function splitWords(text: string, node: SourceNode): readonly EngineWord[] {
  const split = shellWords(text);
  if (split.kind === "words") return split.words.map((word) => ({ text: word, node }));
  node.fault(
    split.quote === "\\"
      ? "ends in a backslash that escapes nothing"
      : `has a ${split.quote} that is never closed`,
  );
  return [];
}

function requiredName(node: SourceNode): string | undefined {
  if (node.entries() === undefined) return undefined;
  const name = node.at("name");
  if (name === undefined) node.faultAt(["name"], "is required");
  return name?.text();
}

/**
 * `status.podIP`, `secret hf-token/HF_TOKEN`, `configMap settings/level` or a container's
 * resource.
 */
function describeValueSource(node: SourceNode | undefined): string | undefined {
  if (node === undefined) return undefined;
  const read = (...path: readonly string[]): string | undefined => node.at(...path)?.text();
  const field = read("fieldRef", "fieldPath") ?? read("resourceFieldRef", "resource");
  if (field !== undefined) return field;
  for (const [kind, field] of [
    ["secret", "secretKeyRef"],
    ["configMap", "configMapKeyRef"],
  ] as const) {
    if (node.at(field) !== undefined) return `${kind} ${read(field, "name")}/${read(field, "key")}`;
  }
  return "unknown source";
}
