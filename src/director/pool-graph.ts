import type { Json } from "../core/json.ts";
import type { BlockIndex, KvBlockView } from "../endpoints/block-index.ts";
import type { EndpointTable } from "../endpoints/endpoint-table.ts";
import { Instrument } from "../plugin/instrument.ts";
import { ProfileRunner } from "../scheduling/run-profile.ts";
import { Scheduler } from "../scheduling/schedule.ts";
import { PluginHooks } from "./plugin-hooks.ts";
import { makePlugins, type PoolBlueprint, type PoolPlugins } from "./pool-plugins.ts";
import type { PoolRouterOptions } from "./pool-router-options.ts";
import { RouterCycle } from "./router-cycle.ts";

/** Size of one plugin's block index. */
export interface IndexSize {
  readonly pluginName: string;
  readonly pluginType: string;
  readonly sizeBytes: number;
  readonly blockCount: number;
}

/** What a pool keeps whatever its configuration is. */
export interface PoolTables {
  readonly endpoints: EndpointTable;
  readonly kvBlocks: KvBlockView;
  /** The index of that name, the same one over reloads. */
  blockIndex(name: string, blocksPerSlot: number): BlockIndex;
}

/** All that is made from one configuration: a reload makes another one beside it and swaps. */
export class PoolGraph {
  readonly blueprint: PoolBlueprint;
  readonly plugins: PoolPlugins;
  readonly hooks: PluginHooks;
  readonly scheduler: Scheduler;
  /** Decisions are synchronous, so one cycle serves them all. */
  readonly cycle: RouterCycle;
  readonly #endpoints: EndpointTable;
  /** Indexes that plugins asked for, by the plugin's name. */
  readonly #indexes = new Map<string, BlockIndex>();
  /** Names of these indexes in the pool's tables. */
  readonly indexNames: ReadonlySet<string>;

  /** `previous` is the graph that this one follows: it takes over its plugins' state. */
  constructor(
    options: PoolRouterOptions,
    blueprint: PoolBlueprint,
    tables: PoolTables,
    previous?: PoolGraph,
  ) {
    const { log, meter, prefillCandidates, seed } = options;
    const { endpoints, kvBlocks } = tables;
    this.#endpoints = endpoints;
    this.blueprint = blueprint;
    const instrument = new Instrument(options);
    const indexNames = new Set<string>();
    this.indexNames = indexNames;
    this.plugins = makePlugins(blueprint, (name) => ({
      name,
      endpoints,
      kvBlocks,
      log,
      meter,
      prefillCandidates,
      find: (other) => this.plugins.all.find((plugin) => plugin.name === other)?.instance,
      createBlockIndex: (blocksPerEndpoint, blockBytes) => {
        const indexName = `${name}, ${blocksPerEndpoint} of ${blockBytes}`;
        const index = tables.blockIndex(indexName, blocksPerEndpoint);
        indexNames.add(indexName);
        this.#indexes.set(name, index);
        return index;
      },
    }));
    const { all, handler, profiles } = this.plugins;
    const runner = new ProfileRunner(instrument);
    this.scheduler = new Scheduler({ handler, profiles, runner, instrument });
    this.hooks = new PluginHooks(all, instrument);
    this.cycle = new RouterCycle({ endpoints, profiles: this.scheduler.profiles, seed });
    for (const { name, type, instance } of all) {
      const before = previous?.plugins.all.find((one) => one.name === name && one.type === type);
      const state = before?.instance.saveState?.();
      if (state !== undefined) instance.loadState?.(state);
    }
  }

  /** Sizes of the plugins' block indexes. */
  indexes(): readonly IndexSize[] {
    return this.plugins.all.flatMap(({ name, type }) => {
      const index = this.#indexes.get(name);
      if (index === undefined) return [];
      const slots = Array.from({ length: this.#endpoints.slotCount }, (_, slot) => slot);
      const blockCount = slots.reduce((sum, slot) => sum + index.blockCount(slot), 0);
      return [{ pluginName: name, pluginType: type, sizeBytes: index.sizeBytes, blockCount }];
    });
  }

  /** What plugins say of their own state, by name. */
  dumpPlugins(): { readonly [plugin: string]: Json } {
    return Object.fromEntries(
      this.plugins.all.flatMap(({ name, instance }) => {
        const dump = instance.dumpState?.();
        return dump === undefined ? [] : [[name, dump]];
      }),
    );
  }
}
