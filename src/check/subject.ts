import type { SourceNode } from "../config/source-node.ts";
import type { SourcePosition } from "../core/config-error.ts";
import type { Pool, Service } from "../manifest/service.ts";
import type { Facts } from "./facts.ts";
import type { Picker } from "./picker.ts";
import type { PickerFlag } from "./picker-flags.ts";
import type { Target } from "./targets.ts";

/** A loaded file as rules see it. */
export interface Subject {
  readonly file: string;
  readonly target: Target;
  readonly facts: Facts;
  /** Undefined when the built-in configuration is used: there is no place to point at. */
  readonly picker: Picker | undefined;
  /** Undefined for a bare EndpointPickerConfig. */
  readonly manifest: Manifest | undefined;
}

/** The `LLMInferenceService` of a subject. */
export interface Manifest {
  readonly service: Service;
  readonly root: SourceNode;
  readonly flags: readonly PickerFlag[];
  readonly main: PoolView;
  readonly prefill: PoolView | undefined;
}

/** A pool and where it is written. */
export interface PoolView {
  readonly pool: Pool;
  /** `spec` or `spec.prefill`. */
  readonly node: SourceNode;
  /** Container `main`, where the manifest has one. */
  readonly container: SourceNode | undefined;
}

/** Both pools, or the one. */
export function poolsOf({ main, prefill }: Manifest): readonly PoolView[] {
  return prefill === undefined ? [main] : [main, prefill];
}

/** Both pools of a service that splits prefill from decode. */
export function splitPools(
  subject: Subject,
):
  | { readonly manifest: Manifest; readonly decode: PoolView; readonly prefill: PoolView }
  | undefined {
  const { manifest } = subject;
  if (manifest?.prefill === undefined) return undefined;
  return { manifest, decode: manifest.main, prefill: manifest.prefill };
}

/** Place of a field of container `main`, or of what encloses it. */
export function containerPosition(
  { container, node }: PoolView,
  ...path: readonly (string | number)[]
): SourcePosition {
  return container?.positionOf(path) ?? node.positionOf(["template"]);
}

/** Place of an environment variable's value; of the container when it is absent. */
export function envPosition(view: PoolView, name: string): SourcePosition {
  const variable = view.pool.env.findLast((candidate) => candidate.name === name);
  return variable?.position ?? containerPosition(view, "env");
}

/** Literal value of an environment variable. */
export function envValue({ pool }: PoolView, name: string): string | undefined {
  return pool.env.findLast((variable) => variable.name === name)?.value;
}

/** Variable whose words are appended to vLLM's command line. */
export const ARGUMENTS_VARIABLE = "VLLM_ADDITIONAL_ARGS";

/** Place of a vLLM flag: the argument or the variable that holds it, else the container. */
export function flagPosition(view: PoolView, flag: string): SourcePosition {
  const pattern = new RegExp(`(?:^|\\s)--?${flag.replaceAll("-", "[-_]")}\\b`);
  const args = view.container?.at("args")?.value;
  const index = Array.isArray(args) ? args.findIndex((word) => pattern.test(String(word))) : -1;
  if (index !== -1) return containerPosition(view, "args", index);
  return pattern.test(envValue(view, ARGUMENTS_VARIABLE) ?? "")
    ? envPosition(view, ARGUMENTS_VARIABLE)
    : containerPosition(view);
}
