import { z } from "zod";
import { isLabel } from "./pod.ts";

/** What an InferencePool says of its endpoints. */
export interface PoolShape {
  /** `key=value` pairs, joined by commas, as the API takes them. */
  readonly selector: string;
  readonly ports: readonly number[];
}

/** A pool among those of its group. */
export interface PoolRef {
  readonly namespace: string;
  readonly name: string;
  /** Tried first; else the first of POOL_GROUPS that the cluster serves. */
  readonly group?: PoolGroup | undefined;
}

/** API groups of InferencePool, today's first. */
export const POOL_GROUPS = [
  "inference.networking.k8s.io",
  "inference.networking.x-k8s.io",
] as const;
export type PoolGroup = (typeof POOL_GROUPS)[number];

const VERSIONS: Readonly<Record<PoolGroup, string>> = {
  "inference.networking.k8s.io": "v1",
  "inference.networking.x-k8s.io": "v1alpha2",
};

/** GAIE: a pool has at most so many ports. */
export const PORTS_MAX = 8;

const port = z.int().min(1).max(65_535);
const labels = z
  .record(z.string(), z.string())
  .refine((map) => Object.entries(map).every(([key, value]) => isLabel(key, value)));

const v1 = z.object({
  selector: z.object({ matchLabels: labels }),
  targetPorts: z
    .array(z.object({ number: port }))
    .min(1)
    .max(PORTS_MAX),
});
const v1alpha2 = z.object({ selector: labels, targetPortNumber: port });

const schema = z.object({ spec: z.union([v1, v1alpha2]) });

/** Reads a pool of either version; undefined for what is none. */
export function readPool(content: unknown): PoolShape | undefined {
  const spec = schema.safeParse(content).data?.spec;
  if (spec === undefined) return undefined;
  if ("targetPorts" in spec) {
    const ports = spec.targetPorts.map(({ number }) => number);
    return { selector: selectorOf(spec.selector.matchLabels), ports: [...new Set(ports)] };
  }
  return { selector: selectorOf(spec.selector), ports: [spec.targetPortNumber] };
}

/** Where the pools of a namespace are, by the groups that may be meant, the named one first. */
export function poolPaths({ namespace, group }: PoolRef): readonly string[] {
  const groups = new Set(group === undefined ? POOL_GROUPS : [group, ...POOL_GROUPS]);
  return Array.from(
    groups,
    (one) => `/apis/${one}/${VERSIONS[one]}/namespaces/${namespace}/inferencepools`,
  );
}

/** In the order of the keys, so that equal selectors are equal texts. */
function selectorOf(matchLabels: Readonly<Record<string, string>>): string {
  return Object.entries(matchLabels)
    .map(([key, value]) => `${key}=${value}`)
    .toSorted()
    .join(",");
}
