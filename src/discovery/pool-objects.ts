import { z } from "zod";
import type { Json } from "../core/json.ts";
import type { Log } from "../core/log.ts";
import type { Meter } from "../core/meter.ts";
import { POOL_GROUPS, type PoolRef } from "./inference-pool.ts";
import type { KubeApi } from "./kube-api.ts";
import { OBJECT_NAME } from "./kube-object.ts";
import { ListWatch } from "./list-watch.ts";

/** An `InferenceObjective` of the pool. */
export interface FoundObjective {
  readonly name: string;
  readonly priority: number;
}

/** An `InferenceModelRewrite` of the pool. */
export interface FoundRewrite {
  readonly name: string;
  readonly rules: readonly {
    readonly matches: readonly string[];
    readonly targets: readonly { readonly model: string; readonly weight: number | undefined }[];
  }[];
}

/** The objects that belong to a pool. */
export interface FoundObjects {
  readonly objectives: readonly FoundObjective[];
  /** The oldest first. */
  readonly rewrites: readonly FoundRewrite[];
}

/** What follows the objects of a pool. */
export interface FollowObjectsOptions {
  readonly api: KubeApi;
  readonly pool: PoolRef;
  /** They are others than before; at first there are none. */
  changed(objects: FoundObjects): void;
  readonly log: Log;
  readonly meter: Meter;
}

/** Objects that are followed. */
export interface FollowedObjects {
  /** Whether both kinds were listed, or are not served. */
  isSynced(): boolean;
  describe(): Json;
  close(): Promise<void>;
}

/** llm-d took the objects over from GAIE; where both groups are served, only its own is followed. */
const OBJECT_GROUPS = ["llm-d.ai", "inference.networking.x-k8s.io"];

/** Group that a reference has by default in llm-d's own definitions, where no pools are. */
const DEFAULT_REF_GROUP = "llm-d.ai";

const RULES_MAX = 1000;
const TARGETS_MAX = 100;

/** Bytes of a model name; longer ones stand in no request. */
const MODEL_MAX = 1024;

const ref = z.object({
  group: z.string().default(DEFAULT_REF_GROUP),
  kind: z.string().default("InferencePool"),
  name: z.string(),
});
const metadata = z.object({
  name: z.string().regex(OBJECT_NAME),
  creationTimestamp: z.string().default(""),
});
const model = z.string().min(1).max(MODEL_MAX);

const objective = z.object({
  metadata,
  spec: z.object({ poolRef: ref, priority: z.int32().default(0) }),
});

const rewrite = z.object({
  metadata,
  spec: z.object({
    poolRef: ref,
    rules: z
      .array(
        z.object({
          matches: z
            .array(
              z.object({
                model: z.object({ type: z.literal("Exact").default("Exact"), value: model }),
              }),
            )
            .max(TARGETS_MAX)
            .default([]),
          targets: z
            .array(
              z.object({
                modelRewrite: model,
                weight: z.int().min(0).max(1_000_000).optional(),
              }),
            )
            .min(1)
            .max(TARGETS_MAX),
        }),
      )
      .max(RULES_MAX),
  }),
});

interface Owned<T> {
  readonly poolRef: z.infer<typeof ref>;
  readonly createdMs: number;
  readonly value: T;
}

/** Follows the objectives and rewrites that refer to a pool; a kind that is not served is left out. */
export function followObjects(options: FollowObjectsOptions): FollowedObjects {
  const { api, pool, log, meter } = options;
  const common = { api, query: {}, log, meter };
  let told = JSON.stringify({ objectives: [], rewrites: [] });
  const changed = (): void => {
    // Before both are known, what is in effect may be right.
    if (!isSynced()) return;
    const found = {
      objectives: ownedBy(pool, objectives.objects),
      rewrites: ownedBy(pool, rewrites.objects),
    };
    // A list that is made anew, and a change of another pool's objects, are no news.
    const text = JSON.stringify(found);
    if (text === told) return;
    told = text;
    options.changed(found);
  };
  const objectives: ListWatch<Owned<FoundObjective>> = new ListWatch({
    ...common,
    resource: "inferenceobjectives",
    kind: "InferenceObjective",
    paths: pathsOf(pool, "inferenceobjectives"),
    read: readObjective,
    changed,
  });
  const rewrites: ListWatch<Owned<FoundRewrite>> = new ListWatch({
    ...common,
    resource: "inferencemodelrewrites",
    kind: "InferenceModelRewrite",
    paths: pathsOf(pool, "inferencemodelrewrites"),
    read: readRewrite,
    changed,
  });
  const watches = [objectives, rewrites];
  const isSynced = (): boolean => watches.every((watch) => watch.isSynced || watch.isAbsent);
  return {
    isSynced,
    describe: () => watches.map((watch) => watch.describe()),
    async close() {
      await Promise.all(watches.map((watch) => watch.close()));
    },
  };
}

function readObjective(content: unknown): Owned<FoundObjective> | undefined {
  const parsed = objective.safeParse(content).data;
  if (parsed === undefined) return undefined;
  const { spec, metadata: meta } = parsed;
  return owned(meta, spec.poolRef, { name: meta.name, priority: spec.priority });
}

function readRewrite(content: unknown): Owned<FoundRewrite> | undefined {
  const parsed = rewrite.safeParse(content).data;
  if (parsed === undefined) return undefined;
  const { spec, metadata: meta } = parsed;
  const rules = spec.rules.map(({ matches, targets }) => ({
    matches: matches.map((match) => match.model.value),
    targets: targets.map(({ modelRewrite, weight }) => ({ model: modelRewrite, weight })),
  }));
  return owned(meta, spec.poolRef, { name: meta.name, rules });
}

function owned<T>(
  { creationTimestamp }: z.infer<typeof metadata>,
  poolRef: z.infer<typeof ref>,
  value: T,
): Owned<T> {
  const createdMs = Date.parse(creationTimestamp);
  return { poolRef, createdMs: Number.isNaN(createdMs) ? 0 : createdMs, value };
}

/** Those of the pool, the oldest first; of two of one second the first by name. */
function ownedBy<T extends { readonly name: string }>(
  pool: PoolRef,
  objects: ReadonlyMap<string, Owned<T>>,
): readonly T[] {
  const groups: readonly string[] = pool.group === undefined ? POOL_GROUPS : [pool.group];
  return [...objects.values()]
    .filter(
      ({ poolRef: { group, kind, name } }) =>
        name === pool.name &&
        kind === "InferencePool" &&
        (group === DEFAULT_REF_GROUP || group === "" || groups.includes(group)),
    )
    .toSorted(
      (one, other) =>
        one.createdMs - other.createdMs || (one.value.name < other.value.name ? -1 : 1),
    )
    .map(({ value }) => value);
}

function pathsOf({ namespace }: PoolRef, resource: string): readonly string[] {
  return OBJECT_GROUPS.map(
    (group) => `/apis/${group}/v1alpha2/namespaces/${namespace}/${resource}`,
  );
}
