import { ConfigError } from "../core/config-error.ts";
import { invariant } from "../core/invariant.ts";
import type { Log } from "../core/log.ts";
import type { Meter } from "../core/meter.ts";
import type { BlockIndex, KvBlockView } from "../endpoints/block-index.ts";
import type { EndpointTable } from "../endpoints/endpoint-table.ts";
import type { NumericAttribute } from "../endpoints/numeric-attribute.ts";
import { type PluginInstance, ROLES, type Role } from "./plugin-instance.ts";
import type { RequestAttribute } from "./request-attribute.ts";

/** How settled a plugin is: `alpha` loads only when asked for. */
export const STABILITIES = ["alpha", "beta", "stable", "deprecated"] as const;
export type Stability = (typeof STABILITIES)[number];

/**
 * What an instance keeps from one request to the next and decides by. `none`: nothing. `shared`: only what
 * the handle lends, which threads see alike. `private`: something of its own, so several threads, each
 * with an instance, would decide differently from one; a router of several threads refuses it.
 */
export const PLUGIN_STATES = ["none", "shared", "private"] as const;
export type PluginState = (typeof PLUGIN_STATES)[number];

/** What the program lends to a plugin instance for its lifetime. */
export interface PluginHandle {
  /** The instance's name in the configuration. */
  readonly name: string;
  readonly endpoints: EndpointTable;
  readonly kvBlocks: KvBlockView;
  readonly log: Log;
  readonly meter: Meter;
  /** Another instance of the configuration; undefined while instances are still being made. */
  find(name: string): PluginInstance | undefined;
  /** How many prefill endpoints a plan may name to the sidecar, best first. */
  readonly prefillCandidates: number;
  /**
   * An index of its own for up to `blocksPerEndpoint` blocks of `blockBytes` each; over a reload with the
   * same sizes it is the same index, contents and all.
   */
  createBlockIndex(blocksPerEndpoint: number, blockBytes: number): BlockIndex;
}

/** What a plugin author writes. */
export interface PluginSource<Params> {
  readonly type: string;
  readonly stability: Stability;
  /** What it keeps; `private` unless declared. */
  readonly state?: PluginState;
  /** A type that files may name but that does nothing here; loading says so. */
  readonly isInert?: true;
  /** Roles that `create` gives; checked when an instance is made. */
  readonly roles: readonly Role[];
  /** Columns it reads; the scraper fetches just those that some plugin consumes. */
  readonly consumes?: readonly NumericAttribute[];
  /** Whether it reads the engines' KV events. */
  readonly consumesKvEvents?: boolean;
  /** Whether it reads the engines' LoRA adapters. */
  readonly consumesLora?: boolean;
  /** Request attributes that it reads when someone produces them. */
  readonly reads?: readonly RequestAttribute<unknown>[];
  /** Request attributes that it sets. */
  readonly produces?: readonly RequestAttribute<unknown>[];
  /** Decodes `parameters` strictly; throws ConfigError with a path below `parameters`. */
  readonly params: (raw: unknown) => Params;
  /** Other instances that the parameters name; loading checks that they are there and have the role. */
  readonly references?: (params: Params) => readonly PluginReference[];
  /** Why the configured profiles do not suit it, if they do not. */
  readonly profilesFault?: (params: Params, profiles: readonly string[]) => string | undefined;
  readonly create: (params: Params, handle: PluginHandle) => PluginInstance;
}

/** A parameter that names another instance. */
export interface PluginReference {
  /** Key of the parameter. */
  readonly path: string;
  readonly name: string;
  readonly role: Role;
}

/** A plugin type with its parameters decoded, ready to be instantiated any number of times. */
export interface ConfiguredPlugin {
  readonly references: readonly PluginReference[];
  profilesFault(profiles: readonly string[]): string | undefined;
  create(handle: PluginHandle): PluginInstance;
}

/** A plugin type as registries hold it, whatever its parameters are. */
export interface PluginDefinition
  extends Omit<PluginSource<never>, "params" | "references" | "profilesFault" | "create"> {
  /** Decodes parameters; throws ConfigError with paths relative to `parameters`. */
  configure(raw: unknown): ConfiguredPlugin;
}

/** Closes over the parameter type, so that a registry of mixed plugins needs no `any`. */
export function definePlugin<Params>(source: PluginSource<Params>): PluginDefinition {
  const { params: decode, references, profilesFault, create, ...facts } = source;
  return {
    ...facts,
    configure(raw) {
      const params = decode(raw);
      return {
        references: references?.(params) ?? [],
        profilesFault: (profiles) => profilesFault?.(params, profiles),
        create(handle) {
          const instance = create(params, handle);
          const roles = ROLES.filter((role) => instance[role] !== undefined);
          invariant(
            roles.length === source.roles.length &&
              roles.every((role) => source.roles.includes(role)),
            `${source.type} declares roles ${source.roles.join(", ")} but has ${roles.join(", ")}`,
          );
          return instance;
        },
      };
    },
  };
}

/** Parameters of a plugin that takes none. */
export function noParams(raw: unknown): undefined {
  const isEmpty =
    raw === undefined ||
    raw === null ||
    (typeof raw === "object" && !Array.isArray(raw) && Object.keys(raw).length === 0);
  if (isEmpty) return undefined;
  const unknown = typeof raw === "object" && !Array.isArray(raw) ? Object.keys(raw)[0] : undefined;
  throw new ConfigError([{ path: unknown ?? "", message: "this plugin takes no parameters" }]);
}
