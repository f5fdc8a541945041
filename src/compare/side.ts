import type { Pool, Service } from "../manifest/service.ts";

/** One of the two services that are compared. */
export interface Side {
  /** What tables and plots call it. */
  readonly label: string;
  readonly service: Service;
}

/** The two services, in the order in which they were given. */
export interface Pair {
  readonly left: Side;
  readonly right: Side;
}

/** A plugin instance of a service's configuration. */
export type PluginEntry = Service["config"]["plugins"][number];
/** A scheduling profile of a service's configuration. */
export type ProfileEntry = Service["config"]["profiles"][number];
/** What a plugin does, by the contract's word. */
export type PluginRole = PluginEntry["definition"]["roles"][number];

/** Labels the services by name, with the file where both have one name. */
export function pairOf(
  left: { readonly service: Service; readonly file: string },
  right: { readonly service: Service; readonly file: string },
): Pair {
  const isNamed = left.service.name !== right.service.name;
  const label = ({ service, file }: typeof left, letter: string): string =>
    isNamed ? service.name : `${letter} (${file})`;
  return {
    left: { label: label(left, "A"), service: left.service },
    right: { label: label(right, "B"), service: right.service },
  };
}

/** The service's pools, decode before prefill. */
export function poolsOf({ main, prefill }: Service): readonly Pool[] {
  return prefill === undefined ? [main] : [main, prefill];
}

/** Whether prefill and decode run on different endpoints. */
export function isSplit(service: Service): boolean {
  return service.prefill !== undefined;
}

/** GPUs of one endpoint: the limits' count, or what its parallelism takes. */
export function gpusOf({ gpuCount, parallelism }: Pool): number {
  return Math.max(gpuCount, parallelism.tensor * parallelism.pipeline * parallelism.data);
}

/** GPUs of all endpoints together. */
export function totalGpus(service: Service): number {
  return poolsOf(service).reduce((sum, pool) => sum + pool.replicas * gpusOf(pool), 0);
}

/** A profile's plugins that have a role, in the profile's order, with their weights. */
export function usesOf(
  service: Service,
  profile: ProfileEntry,
  role: PluginRole,
): readonly { readonly entry: PluginEntry; readonly weight: number }[] {
  return profile.plugins.flatMap(({ pluginRef, weight }) => {
    const entry = service.config.plugins.find(({ name }) => name === pluginRef);
    return entry?.definition.roles.includes(role) === true ? [{ entry, weight }] : [];
  });
}

/** The instance that runs the profiles. */
export function handlerOf({ config }: Service): PluginEntry | undefined {
  return config.plugins.find(({ definition }) => definition.roles.includes("handler"));
}

/** The profile that chooses the destination: `decode` of a split service, else the first. */
export function mainProfile({ config }: Service): ProfileEntry | undefined {
  return config.profiles.find(({ name }) => name === "decode") ?? config.profiles[0];
}

/** A number among an instance's parameters. */
export function numberParameter(entry: PluginEntry, name: string): number | undefined {
  const { parameters } = entry;
  if (typeof parameters !== "object" || parameters === null) return undefined;
  const value = (parameters as Readonly<Record<string, unknown>>)[name];
  return typeof value === "number" ? value : undefined;
}
