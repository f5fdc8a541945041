import { forManifest } from "./for-manifest.ts";
import { onTargets, pickerFails } from "./on-targets.ts";
import {
  blockSizeParameter,
  type PrefixCacheSettings,
  pluginsOf,
  prefixCacheOf,
} from "./picker.ts";
import type { Finding, Rule } from "./rule.ts";
import type { Manifest, Subject } from "./subject.ts";

/** The router's estimate: bytes of prompt in one token. */
const TOKEN_BYTES = 4;
/** vLLM's block size unless it is told another. */
const ENGINE_BLOCK_TOKENS = 16;
/** A shared beginning of 5,000 words of English. */
const LONG_PREFIX_TOKENS = 8192;
/** Longest block that ordinary chat prompts fill. */
const ORDINARY_BLOCK_BYTES = 256;
/** Index sizes beyond these shares of the engine's own cache are told. */
const CAPACITY_SHARE = { least: 0.5, most: 1.2 } as const;

/** Rules about the approximate prefix cache against the engines it speaks for. */
export const PREFIX_CACHE_RULES: readonly Rule<Subject>[] = [
  {
    id: "C16",
    severity: "advice",
    group: "C",
    title: "prompts shorter than one prefix block",
    why:
      "Only full blocks are matched: a prompt below one block scores 0 everywhere, and a " +
      "decider sees nothing of it cached.",
    fix: "Choose a block size below the shortest prompt whose beginning repeats.",
    check: withCache((cache) =>
      cache.blockBytes <= ORDINARY_BLOCK_BYTES
        ? []
        : [
            {
              message: `prompts below ${cache.blockBytes} bytes never match: that is one block`,
              position: blockSizePosition(cache),
            },
          ],
    ),
  },
  {
    id: "C17",
    severity: "warning",
    group: "C",
    title: "prefix blocks of another size than the engine's",
    why:
      "The engine reuses whole KV blocks only: finer hashes claim hits that it cannot " +
      "use, coarser ones miss hits that it has.",
    fix:
      "Set the block size to the engine's --block-size times 4 bytes (blockSizeTokens: " +
      "the block size itself).",
    check: withCache((cache, _subject, manifest) => {
      const engineTokens = manifest?.service.main.engineArguments.blockSize;
      if (manifest === undefined) return [];
      const engineBytes = (engineTokens ?? ENGINE_BLOCK_TOKENS) * TOKEN_BYTES;
      if (engineBytes === cache.blockBytes) return [];
      const engine =
        engineTokens === undefined ? "vLLM's default of 16" : `--block-size ${engineTokens}`;
      const message =
        `prefix blocks of ${cache.blockBytes} bytes, engine blocks of ${engineBytes} ` +
        `(${engine} tokens of about 4 bytes)`;
      return [{ message, position: blockSizePosition(cache) }];
    }),
  },
  {
    id: "C18",
    severity: "error",
    group: "C",
    title: "two block sizes in one decision",
    why:
      "Up to llm-d 0.5 the handler multiplies matched blocks by its own hashBlockSize, so " +
      "the uncached part is wrong by the ratio of the two.",
    fix: "Give both the same hashBlockSize, or drop the handler's.",
    check: withCache((cache, { picker, target }) => {
      if (picker === undefined) return [];
      return pluginsOf(picker, "pd-profile-handler").flatMap((handler) => {
        const written = handler.parameters["hashBlockSize"];
        if (written === undefined || written === cache.blockBytes) return [];
        return onTargets(target, {
          message:
            `the handler counts blocks of ${String(written)} bytes, the prefix scorer ` +
            `of ${cache.blockBytes}`,
          position: handler.at("hashBlockSize"),
          fails: pickerFails(({ minor }) => minor <= 5),
        });
      });
    }),
  },
  {
    id: "C19",
    severity: "warning",
    group: "C",
    title: "prefix index larger or smaller than the engine's cache",
    why:
      "A larger index claims hits on blocks that the engine has evicted, a smaller one " +
      "forgets blocks that are still there.",
    fix:
      "Set lruCapacityPerServer to the engine's num_gpu_blocks, as its log or " +
      "/api/endpoints tells.",
    check: withCache(capacityFindings),
  },
  {
    id: "C20",
    severity: "warning",
    group: "C",
    title: "prefixes are looked at to a limit",
    why:
      "What requests share beyond the limit is invisible: two long prompts with the same " +
      "beginning look equally matched everywhere.",
    fix:
      "Raise maxPrefixBlocksToMatch to the longest beginning that requests share, divided " +
      "by the block size.",
    check: withCache((cache, { facts }, manifest) => {
      const service = manifest?.service;
      const seenBytes = cache.maxPrefixBlocksToMatch * cache.blockBytes;
      const seenTokens = Math.floor(seenBytes / TOKEN_BYTES);
      const contextTokens =
        service?.main.engineArguments.maxModelLen ??
        facts.model(service?.modelName ?? "")?.contextTokens;
      if (seenTokens >= Math.min(LONG_PREFIX_TOKENS, contextTokens ?? LONG_PREFIX_TOKENS))
        return [];
      const longest = contextTokens === undefined ? "" : `; a prompt may have ${contextTokens}`;
      const message =
        `${cache.maxPrefixBlocksToMatch} blocks of ${cache.blockBytes} bytes cover the ` +
        `first ${seenBytes} bytes of a prompt, about ${seenTokens} tokens${longest}`;
      return [{ message, position: cache.plugin.at("maxPrefixBlocksToMatch") }];
    }),
  },
  {
    id: "C21",
    severity: "advice",
    group: "C",
    title: "autoTune replaces what is written",
    why:
      "llm-d 0.4 to 0.8 take block size and capacity from the engine's metrics unless " +
      "autoTune is false, so the written numbers do nothing.",
    fix: "Set autoTune: false to keep the numbers, or drop them.",
    check: withCache(({ plugin }, { target }) => {
      const written = [
        "hashBlockSize",
        "blockSize",
        "blockSizeTokens",
        "lruCapacityPerServer",
      ].filter((name) => plugin.parameters[name] !== undefined);
      const [first] = written;
      if (first === undefined || plugin.parameters["autoTune"] === false) return [];
      return onTargets(target, {
        message: `autoTune is on unless set, so ${written.join(", ")} do nothing`,
        position: plugin.at(first),
        fails: pickerFails(({ minor }) => minor >= 4 && minor <= 8),
      });
    }),
  },
  {
    id: "C25",
    severity: "warning",
    group: "C",
    title: "several picker replicas with one prefix index each",
    why:
      "Replicas take over from one another, and the index is the leader's own: after a " +
      "fail-over nothing is known to be cached.",
    fix: "Keep one replica, or use precise-prefix-cache-producer, which learns from the engines.",
    check: withCache((_cache, _subject, manifest) => {
      const replicas = manifest?.root.at("spec", "router", "scheduler", "replicas");
      if (replicas === undefined || Number(replicas.value) <= 1) return [];
      const message = `${String(replicas.value)} picker replicas, and the prefix index is not shared`;
      return [{ message, position: replicas.position }];
    }),
  },
  {
    id: "C27",
    severity: "warning",
    group: "C",
    title: "precise prefix cache without KV events",
    why:
      "It learns from the engines' KV events: without them llm-d's index stays empty and " +
      "scores 0, and Switchyard goes by what it sent itself.",
    fix: "Give vLLM --kv-events-config with enable_kv_cache_events true.",
    check: forManifest(({ service }, { picker }) => {
      const precise = picker === undefined ? [] : pluginsOf(picker, ...PRECISE);
      if (service.main.engineArguments.isKvEventsEnabled) return [];
      return precise.map(({ type, typePosition }) => ({
        message: `${type} learns from KV events, and the engines publish none`,
        position: typePosition,
      }));
    }),
  },
];

const PRECISE = ["precise-prefix-cache-scorer", "precise-prefix-cache-producer"] as const;

function withCache(
  check: (
    cache: PrefixCacheSettings,
    subject: Subject,
    manifest: Manifest | undefined,
  ) => readonly Finding[],
): (subject: Subject) => readonly Finding[] {
  return (subject) => {
    const cache = subject.picker === undefined ? undefined : prefixCacheOf(subject.picker);
    return cache === undefined ? [] : check(cache, subject, subject.manifest);
  };
}

function blockSizePosition({ plugin }: PrefixCacheSettings): Finding["position"] {
  return plugin.at(blockSizeParameter(plugin));
}

function capacityFindings(
  cache: PrefixCacheSettings,
  { facts }: Subject,
  manifest: Manifest | undefined,
): readonly Finding[] {
  if (manifest === undefined) return [];
  const { service } = manifest;
  const caches = facts.kvCaches(service, service.main);
  const indexTokens = (cache.lruCapacityPerServer * cache.blockBytes) / TOKEN_BYTES;
  const fits = caches.some(({ blockCount, blockTokens }) => {
    const share = indexTokens / (blockCount * blockTokens);
    return share >= CAPACITY_SHARE.least && share <= CAPACITY_SHARE.most;
  });
  if (caches.length === 0 || fits) return [];
  const engines = caches.map(({ gpu, blockCount }) => `${blockCount} on ${gpu}`).join(", ");
  const message =
    `${cache.lruCapacityPerServer} blocks are remembered for an endpoint; an engine of ` +
    `${service.modelName} has about ${engines}`;
  return [{ message, position: cache.plugin.at("lruCapacityPerServer") }];
}
