import { setTimeout as wait } from "node:timers/promises";
import type { EndpointId } from "../core/brand.ts";
import { ConfigError } from "../core/config-error.ts";
import type { Log } from "../core/log.ts";
import type { Meter } from "../core/meter.ts";
import type { EndpointDiff } from "../discovery/endpoint-set.ts";
import { type FollowedPool, followPool } from "../discovery/follow-pool.ts";
import { POOL_GROUPS, type PoolRef } from "../discovery/inference-pool.ts";
import { loadKubeApi } from "../discovery/kube-config.ts";
import { ROLE_LABEL } from "../endpoints/endpoint-table.ts";
import { PREFILL_ROLES } from "../plugins/filter/role.ts";
import { AllowedAddresses, AllowList } from "../sidecar/allow-list.ts";
import { poolRef } from "./epp-source.ts";
import { type EndpointsFile, FileFeed, openEndpointsFile } from "./file-feed.ts";
import { isOn } from "./flag-values.ts";

/** What says which targets are allowed. */
export interface PrefillTargetsOptions {
  /** The sidecar's flags. */
  readonly given: ReadonlyMap<string, string>;
  /** Text of `--endpoints`, in llm-d's `file-discovery` format; with it nothing is asked of a cluster. */
  readonly endpointsFile: { readonly text: string; readonly file: string } | undefined;
  readonly log: Log;
  readonly meter: Meter;
}

/** The prefill targets that a sidecar may ask, for as long as it runs. */
export interface PrefillTargets {
  /** Undefined: every target is allowed. */
  readonly isAllowed: ((hostPort: string) => boolean) | undefined;
  /** Resolves once it is known who is allowed, or when `signal` ends the wait. */
  known(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** The pool is looked at again this often until it is known. */
const LOOK_EVERY_MS = 50;

const ANYONE: PrefillTargets = {
  isAllowed: undefined,
  known: async () => undefined,
  close: async () => undefined,
};

/**
 * Follows what is allowed; throws ConfigError, with nothing left running. A sidecar that could allow nobody
 * does not start: each split request would be refused, one by one, by a host that looks well.
 */
export async function openPrefillTargets(options: PrefillTargetsOptions): Promise<PrefillTargets> {
  const { given, endpointsFile, log } = options;
  if (!isOn(given.get("enable-ssrf-protection"), true)) {
    const message = "any host that a request's x-prefiller-host-port names is asked";
    log.warn("ssrf-protection-off", { message });
    return ANYONE;
  }
  const listed = listedTargets(given);
  const pool = poolOf(given);
  if (listed === undefined && endpointsFile === undefined && pool === undefined) {
    const message =
      "SSRF protection is on and allows no prefill target: name an InferencePool with --inference-pool, " +
      "or the targets with --allow-prefill or in a file with --endpoints, or switch it off with " +
      "--enable-ssrf-protection=false";
    throw new ConfigError([{ path: "", message }]);
  }
  if (endpointsFile !== undefined && pool !== undefined) {
    const message = "--inference-pool: with --endpoints nothing is asked of a cluster";
    log.info("flag-without-effect", { message });
  }
  const addresses = new AllowedAddresses();
  const following =
    endpointsFile === undefined
      ? pool && (await followPods(pool, addresses, options))
      : followFile(checkedFile(endpointsFile, listed), addresses, options);
  return {
    isAllowed: (hostPort) => addresses.isAllowed(hostPort) || listed?.isAllowed(hostPort) === true,
    async known(signal) {
      while (following?.isSynced() === false && !signal.aborted) {
        await wait(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
      }
    },
    close: async () => await following?.close(),
  };
}

type Following = Pick<FollowedPool, "isSynced" | "close">;

/**
 * Pods that are not ready count too: the picker has its own view of that, and who asks a moment before or
 * after this one's is no attacker.
 */
async function followPods(
  pool: PoolRef,
  addresses: AllowedAddresses,
  { log, meter }: PrefillTargetsOptions,
): Promise<Following> {
  const api = await loadKubeApi();
  const changed = changeOf(addresses, { log, isTaken: () => true });
  return followPool({
    api,
    source: { kind: "pool", pool },
    takes: "addressed",
    changed,
    log,
    meter,
  });
}

/** A file without the targets that it was given for is most likely one without roles. */
function checkedFile(
  source: { readonly text: string; readonly file: string },
  listed: AllowList | undefined,
): EndpointsFile {
  const file = openEndpointsFile(source);
  const hasTarget = file.endpoints.some(({ labels }) => isForPrefill(labels[ROLE_LABEL]));
  if (!hasTarget && listed === undefined) {
    const label = `label ${ROLE_LABEL}: ${PREFILL_ROLES.join(" or ")}`;
    const message = `${source.file} has no endpoint for prefill (${label})`;
    throw new ConfigError([{ path: "--endpoints", message }]);
  }
  return file;
}

function isForPrefill(role = ""): boolean {
  return PREFILL_ROLES.includes(role);
}

function followFile(
  file: EndpointsFile,
  addresses: AllowedAddresses,
  { log, meter }: PrefillTargetsOptions,
): Following {
  const feed = new FileFeed(file, { isResolving: false });
  const endpoints = changeOf(addresses, { log, isTaken: isForPrefill });
  feed.start({ endpoints, objects: () => undefined, log, meter });
  return feed;
}

/** Keeps the addresses of endpoints whose role is taken. */
function changeOf(
  addresses: AllowedAddresses,
  { log, isTaken }: { readonly log: Log; isTaken(role: string | undefined): boolean },
): (diff: EndpointDiff) => void {
  const known = new Map<EndpointId, string>();
  return ({ changes }) => {
    for (const change of changes) {
      if (change.kind === "removed") {
        known.delete(change.id);
        continue;
      }
      const { id, address, labels } = change.endpoint;
      if (isTaken(labels[ROLE_LABEL])) known.set(id, address);
      else known.delete(id);
    }
    addresses.replace(known.values());
    log.info("prefill-targets-changed", { count: addresses.size });
  };
}

/** Undefined when nothing is listed. */
function listedTargets(given: ReadonlyMap<string, string>): AllowList | undefined {
  const entries = (given.get("allow-prefill") ?? "").split(",").map((entry) => entry.trim());
  const list = new AllowList(entries.filter((entry) => entry !== ""));
  if (list.faults.length > 0) {
    throw new ConfigError(
      list.faults.map(({ entry, message }) => ({
        path: "--allow-prefill",
        message: `${JSON.stringify(entry.slice(0, 100))} ${message}`,
      })),
    );
  }
  return entries.some((entry) => entry !== "") ? list : undefined;
}

// llm-d: a single name is one of this namespace.
const DEFAULT_NAMESPACE = "default";

function poolOf(given: ReadonlyMap<string, string>): PoolRef | undefined {
  const pool = given.get("inference-pool") ?? "";
  const name = given.get("inference-pool-name") ?? "";
  if (pool === "" && name === "") return undefined;
  const namespace = given.get("inference-pool-namespace") || DEFAULT_NAMESPACE;
  const group = POOL_GROUPS.find((one) => one === given.get("pool-group"));
  if (pool === "") return { ...poolRef(`${namespace}/${name}`, "--inference-pool-name"), group };
  return { ...poolRef(pool.includes("/") ? pool : `${DEFAULT_NAMESPACE}/${pool}`), group };
}
