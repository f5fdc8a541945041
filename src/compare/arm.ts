import { invariant } from "../core/invariant.ts";
import type { Service } from "../manifest/service.ts";
import type { EngineSpec } from "../sim/scenario.ts";
import {
  handlerOf,
  mainProfile,
  numberParameter,
  type PluginEntry,
  type ProfileEntry,
} from "./side.ts";

/** A service on simulated engines: what a simulation runs. */
export interface Arm {
  readonly label: string;
  readonly service: Service;
  readonly engines: readonly EngineSpec[];
}

/** Cards and transports that the sweep tries, by what a transfer reaches. */
export const LINK_NAMES = ["rdma-400", "rdma-200", "rdma-100", "tcp"] as const;
export type LinkName = (typeof LINK_NAMES)[number];

/** What a sweep changes about an arm; whatever is undefined stays. */
export interface Variation {
  readonly link?: LinkName;
  /** Numbers of engines, of the arm's own kind. */
  readonly replicas?: { readonly main: number; readonly prefill: number };
  /** Takes scorers and picker of the other arm's main profile in every profile. */
  readonly isChoiceShared?: true;
  /** Uncached prompt bytes from which on prefill is split off. */
  readonly thresholdBytes?: number;
}

/** The arm with the variation; `other` is where a shared choice comes from. */
export function varyArm(arm: Arm, variation: Variation, other: Arm): Arm {
  const { link, replicas, isChoiceShared, thresholdBytes } = variation;
  let varied = arm;
  if (replicas !== undefined) varied = withEngines(varied, replicas);
  if (link !== undefined) varied = withLink(varied, link);
  if (isChoiceShared) varied = withConfig(varied, sharedChoice(varied.service, other.service));
  if (thresholdBytes !== undefined) {
    varied = withConfig(varied, withThreshold(varied.service, thresholdBytes));
  }
  return varied;
}

/** Whether the service's handler splits by a number of bytes. */
export function hasThreshold(service: Service): boolean {
  const handler = handlerOf(service);
  return handler !== undefined && numberParameter(handler, "threshold") !== undefined;
}

/** What a link reaches between GPUs of two hosts, bytes a second. */
const LINK_BYTES_PER_SECOND: Readonly<Record<LinkName, number>> = {
  // The line rate at the 97 % that nixlbench reaches (llm-d, June 2026).
  "rdma-400": (400e9 / 8) * 0.97,
  "rdma-200": (200e9 / 8) * 0.97,
  "rdma-100": (100e9 / 8) * 0.97,
  // UCX over TCP on 100 GbE (same measurement).
  tcp: 0.55e9,
};

/** Names as people say them. */
export const LINK_TITLES: Readonly<Record<LinkName, string>> = {
  "rdma-400": "RDMA 400 Gbit/s",
  "rdma-200": "RDMA 200 Gbit/s",
  "rdma-100": "RDMA 100 Gbit/s",
  tcp: "TCP",
};

type RouterConfig = Service["config"];

const ROLE_LABEL = "llm-d.ai/role";

function withConfig(arm: Arm, config: RouterConfig): Arm {
  return { ...arm, service: { ...arm.service, config } };
}

function withLink(arm: Arm, name: LinkName): Arm {
  const kind = name === "tcp" ? "tcp" : "rdma";
  const link = { kind, bytesPerSecond: LINK_BYTES_PER_SECOND[name] } as const;
  return { ...arm, engines: arm.engines.map((engine) => ({ ...engine, link })) };
}

/** Engines of a role are equal but for their names, so any number can be made from the first. */
function withEngines(arm: Arm, { main, prefill }: { main: number; prefill: number }): Arm {
  const isPrefill = ({ labels }: EngineSpec): boolean => labels[ROLE_LABEL] === "prefill";
  const made = (count: number, model: EngineSpec | undefined): readonly EngineSpec[] => {
    if (count === 0) return [];
    invariant(model !== undefined, `${arm.label} has no engine to make ${count} from`);
    const stem = model.name.replace(/-\d+$/, "");
    return Array.from({ length: count }, (_, index) => ({ ...model, name: `${stem}-${index}` }));
  };
  return {
    ...arm,
    engines: [
      ...made(
        main,
        arm.engines.find((engine) => !isPrefill(engine)),
      ),
      ...made(prefill, arm.engines.find(isPrefill)),
    ],
  };
}

/** The service's handler and filters with the scorers and the picker of another one's main profile. */
function sharedChoice(service: Service, other: Service): RouterConfig {
  const theirs = mainProfile(other);
  const isChoice = ({ definition }: PluginEntry): boolean =>
    definition.roles.includes("score") || definition.roles.includes("pick");
  const entryOf = (config: RouterConfig, ref: string): PluginEntry | undefined =>
    config.plugins.find(({ name }) => name === ref);
  const uses = (config: RouterConfig, profile: ProfileEntry | undefined, wanted: boolean) =>
    (profile?.plugins ?? []).filter(({ pluginRef }) => {
      const entry = entryOf(config, pluginRef);
      return entry !== undefined && isChoice(entry) === wanted;
    });
  const choice = uses(other.config, theirs, true);
  // Producers come along: a scorer without what it reads would score nothing.
  const brought = other.config.plugins.filter(
    (entry) => isChoice(entry) || entry.definition.roles.includes("produce"),
  );
  const own = service.config.plugins.filter(
    (entry) => !brought.some(({ name }) => name === entry.name),
  );
  return {
    ...service.config,
    plugins: [...own, ...brought],
    profiles: service.config.profiles.map((profile) => ({
      ...profile,
      plugins: [...uses(service.config, profile, false), ...choice],
    })),
  };
}

function withThreshold({ config }: Service, threshold: number): RouterConfig {
  return {
    ...config,
    plugins: config.plugins.map((entry) => {
      if (!entry.definition.roles.includes("handler")) return entry;
      const parameters = { ...(entry.parameters as Readonly<Record<string, unknown>>), threshold };
      return { ...entry, parameters, configured: entry.definition.configure(parameters) };
    }),
  };
}
