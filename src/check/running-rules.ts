import { describeConfig } from "../config/describe-config.ts";
import type { Json } from "../core/json.ts";
import {
  blockSizeParameter,
  type Picker,
  type PrefixCacheSettings,
  prefixCacheOf,
  splitHandler,
} from "./picker.ts";
import type { Finding, Rule } from "./rule.ts";
import type { RunningEndpoint, RunningPool, RunningRouter } from "./running-router.ts";
import type { Subject } from "./subject.ts";

/** A file and the router that should run it. */
export interface RunningSubject {
  readonly subject: Subject;
  readonly router: RunningRouter;
}

/** The router's estimate: bytes of prompt in one token. */
const TOKEN_BYTES = 4;

/** Rules that compare what runs with what is written. */
export const RUNNING_RULES: readonly Rule<RunningSubject>[] = [
  {
    id: "R1",
    severity: "warning",
    group: "R",
    title: "engines report another block size than the prefix cache has",
    why:
      "Matched prefix blocks then claim hits that the engine cannot use, or miss hits " +
      "that it has.",
    fix: "Set the prefix block size to the reported size times 4 bytes.",
    check: forEndpoints((endpoints, subject) =>
      withCache(subject, (cache) => {
        const sizes = distinct(endpoints.map(({ kvBlockTokens }) => kvBlockTokens));
        return sizes
          .filter((tokens) => tokens * TOKEN_BYTES !== cache.blockBytes)
          .map((tokens) => ({
            message:
              `engines report blocks of ${tokens} tokens (${tokens * TOKEN_BYTES} ` +
              `bytes), prefix blocks have ${cache.blockBytes} bytes`,
            position: cache.plugin.at(blockSizeParameter(cache.plugin)),
          }));
      }),
    ),
  },
  {
    id: "R2",
    severity: "warning",
    group: "R",
    title: "engines report another number of blocks than the index keeps",
    why: "A larger index claims hits on evicted blocks, a smaller one forgets live ones.",
    fix: "Set lruCapacityPerServer to the reported number.",
    check: forEndpoints((endpoints, subject) =>
      withCache(subject, (cache) => {
        const indexBytes = cache.lruCapacityPerServer * cache.blockBytes;
        const wrong = endpoints.filter(({ kvBlockCount = 0, kvBlockTokens = 0 }) => {
          const share = indexBytes / (kvBlockCount * kvBlockTokens * TOKEN_BYTES);
          return Number.isFinite(share) && (share < 0.5 || share > 1.2);
        });
        const counts = distinct(wrong.map(({ kvBlockCount }) => kvBlockCount));
        return counts.map((count) => ({
          message:
            `engines report ${count} blocks, the index keeps ` +
            `${cache.lruCapacityPerServer} for each`,
          position: cache.plugin.at("lruCapacityPerServer"),
        }));
      }),
    ),
  },
  {
    id: "R3",
    severity: "error",
    group: "R",
    title: "stage without endpoints",
    why: "The stage's filter drops every candidate: requests are refused, or never split.",
    fix: "Start endpoints with the label llm-d.ai/role of that stage.",
    check: forEndpoints((endpoints, { picker }) => {
      const handler = splitHandler(picker);
      if (handler === undefined) return [];
      return (["decode", "prefill"] as const)
        .filter((stage) => !endpoints.some((endpoint) => serves(endpoint, stage)))
        .map((stage) => ({
          message: `no running endpoint serves ${stage}`,
          position: handler[stage]?.position ?? handler.plugin.typePosition,
        }));
    }),
  },
  {
    id: "R4",
    severity: "error",
    group: "R",
    title: "the router serves another model",
    why: "Requests for the manifest's model are answered with 404.",
    fix: "Restart the router with this manifest.",
    check: forPool(({ pool, model }, { manifest }) => {
      const wanted = manifest?.service.modelName;
      if (wanted === undefined || model === undefined || model === wanted) return [];
      const position = manifest?.root.positionOf(["spec", "model", "name"]);
      return [{ message: `pool ${pool} serves ${model}, the manifest says ${wanted}`, position }];
    }),
  },
  {
    id: "R5",
    severity: "warning",
    group: "R",
    title: "the router runs another configuration",
    why:
      "A configuration is read at start: the file was changed since, or is not the one " +
      "that was given.",
    fix: "Restart the router with this file.",
    check: forPool((running, { picker }) => (picker === undefined ? [] : drift(running, picker))),
  },
  {
    id: "R6",
    severity: "error",
    group: "R",
    title: "the router has no such pool",
    why: "Nothing of this file is in effect there.",
    fix: "Give the admin URL of the router that runs it.",
    check: ({ subject, router }) => {
      if (poolOf(subject, router) !== undefined) return [];
      const names = router.pools.map(({ pool }) => pool).join(", ");
      const message =
        `the router has no pool for ${subject.file}; it has ` + `${names === "" ? "none" : names}`;
      return [
        { message, position: subject.manifest?.service.position ?? subject.picker?.root.position },
      ];
    },
  },
];

/** A service's pool by its name, which has the namespace where two services share it. */
function poolOf({ manifest }: Subject, { pools }: RunningRouter): RunningPool | undefined {
  if (manifest === undefined) return pools.length === 1 ? pools[0] : undefined;
  const { name, namespace } = manifest.service;
  return pools.find(({ pool }) => pool === name || pool === `${namespace}.${name}`);
}

function forPool(
  check: (pool: RunningPool, subject: Subject, router: RunningRouter) => readonly Finding[],
): (running: RunningSubject) => readonly Finding[] {
  return ({ subject, router }) => {
    const pool = poolOf(subject, router);
    return pool === undefined ? [] : check(pool, subject, router);
  };
}

function forEndpoints(
  check: (endpoints: readonly RunningEndpoint[], subject: Subject) => readonly Finding[],
): (running: RunningSubject) => readonly Finding[] {
  return forPool((pool, subject, { endpoints }) =>
    check(
      endpoints.filter((endpoint) => endpoint.pool === pool.pool),
      subject,
    ),
  );
}

function withCache(
  { picker }: Subject,
  check: (cache: PrefixCacheSettings) => readonly Finding[],
): readonly Finding[] {
  const cache = picker === undefined ? undefined : prefixCacheOf(picker);
  return cache === undefined ? [] : check(cache);
}

function distinct(values: readonly (number | undefined)[]): readonly number[] {
  return [...new Set(values.filter((value) => value !== undefined))];
}

/** Decode takes endpoints without a role as well. */
function serves({ role }: RunningEndpoint, stage: "decode" | "prefill"): boolean {
  if (role === undefined) return stage === "decode";
  return role === "both" || role.split("-").includes(stage);
}

function drift(running: RunningPool, { config, root }: Picker): readonly Finding[] {
  const written = describeConfig(config) as { readonly plugins: Json; readonly profiles: Json };
  return (["plugins", "profiles"] as const)
    .filter((part) => JSON.stringify(written[part]) !== JSON.stringify(running[part]))
    .map((part) => ({
      message: `pool ${running.pool} runs other ${part} than the file has`,
      position: root.positionOf([part === "plugins" ? "plugins" : "schedulingProfiles"]),
    }));
}
