import { hostname } from "node:os";
import { ConfigError, type ConfigFault } from "../core/config-error.ts";
import type { PodSource } from "../discovery/follow-pool.ts";
import { POOL_GROUPS, PORTS_MAX, type PoolRef } from "../discovery/inference-pool.ts";
import { loadKubeApi } from "../discovery/kube-config.ts";
import { OBJECT_NAME } from "../discovery/kube-object.ts";
import type { ElectionOptions } from "../discovery/leader-election.ts";
import { isLabel } from "../discovery/pod.ts";
import { ClusterFeed } from "./cluster-feed.ts";
import type { EndpointFeed } from "./endpoint-feed.ts";
import type { EppFlags } from "./epp-flags.ts";
import { isOn } from "./flag-values.ts";

/** Where a picker's endpoints come from. */
export type EppSource =
  | { readonly kind: "file"; readonly file: string }
  | { readonly kind: "cluster"; readonly pods: PodSource; readonly lease: LeaseName | undefined };

/** The Lease by which one of several pickers of a pool leads. */
export type LeaseName = Pick<ElectionOptions, "namespace" | "name">;

/** What a picker is started with, whatever its source. */
export interface EppParts {
  readonly feed: EndpointFeed;
  readonly election: Omit<ElectionOptions, "log"> | undefined;
}

/** Reads the flags that say where the endpoints are; throws ConfigError. `--endpoints` wins. */
export function eppSource({ given }: Pick<EppFlags, "given">, ownNamespace: string): EppSource {
  const file = given.get("endpoints");
  const isElecting = isOn(given.get("ha-enable-leader-election"), false);
  const name = given.get("pool-name");
  const selector = given.get("endpoint-selector");
  if (file !== undefined) {
    if (isElecting) throw electionFault("with --endpoints nothing is asked of a cluster");
    return { kind: "file", file };
  }
  const namespace = given.get("pool-namespace") ?? ownNamespace;
  const faults: ConfigFault[] = [];
  checkName("--pool-namespace", namespace, faults);
  if (name !== undefined) {
    if (selector !== undefined || given.has("endpoint-target-ports")) {
      faults.push(fault("--pool-name", "excludes --endpoint-selector and its ports"));
    }
    checkName("--pool-name", name, faults);
    throwAny(faults);
    const group = POOL_GROUPS.find((one) => one === given.get("pool-group"));
    const pods: PodSource = { kind: "pool", pool: { namespace, name, group } };
    // llm-d's name of the lease.
    const lease = { namespace, name: `epp-${namespace}-${name}.llm-d.ai` };
    return { kind: "cluster", pods, lease: isElecting ? lease : undefined };
  }
  if (selector === undefined) {
    const message =
      "name the InferencePool to serve, or list its endpoints in a file, in llm-d's file-discovery " +
      "format, and name it with --endpoints";
    throw new ConfigError([fault("--pool-name", message)]);
  }
  if (isElecting) throw electionFault("the lease is the pool's: name one with --pool-name");
  const shape = {
    selector: checkedSelector(selector, faults),
    ports: checkedPorts(given.get("endpoint-target-ports") ?? "", faults),
  };
  throwAny(faults);
  return { kind: "cluster", pods: { kind: "selector", namespace, shape }, lease: undefined };
}

/** What follows the cluster that this program belongs to; throws ConfigError when there is none. */
export async function clusterParts({
  pods,
  lease,
}: Extract<EppSource, { kind: "cluster" }>): Promise<EppParts> {
  const api = await loadKubeApi();
  const identity = `${hostname()}_${crypto.randomUUID()}`;
  return {
    feed: new ClusterFeed(api, pods),
    election: lease === undefined ? undefined : { api, ...lease, identity },
  };
}

/** Reads `namespace/name` of an InferencePool; throws ConfigError. */
export function poolSource(text: string): Extract<EppSource, { kind: "cluster" }> {
  const pods: PodSource = { kind: "pool", pool: poolRef(text) };
  return { kind: "cluster", pods, lease: undefined };
}

/** Reads `namespace/name` of an InferencePool, as the flag `path` gives it; throws ConfigError. */
export function poolRef(text: string, path = "--inference-pool"): PoolRef {
  const [namespace = "", name = "", ...more] = text.split("/");
  const faults: ConfigFault[] = [];
  if (more.length > 0 || name === "") {
    throw new ConfigError([fault(path, "must be namespace/name")]);
  }
  checkName(path, namespace, faults);
  checkName(path, name, faults);
  throwAny(faults);
  return { namespace, name };
}

function checkName(path: string, name: string, faults: ConfigFault[]): void {
  if (!OBJECT_NAME.test(name)) {
    faults.push(fault(path, "must be a name of Kubernetes: lower-case letters, digits, - and ."));
  }
}

/** `key=value` pairs, joined by commas, as llm-d takes them. */
function checkedSelector(text: string, faults: ConfigFault[]): string {
  const pairs = text.split(",").map((pair) => pair.trim());
  const isGood = pairs.every((pair) => {
    const [key = "", value, ...more] = pair.replace("==", "=").split("=");
    return value !== undefined && more.length === 0 && isLabel(key, value);
  });
  if (!isGood)
    faults.push(fault("--endpoint-selector", "must be labels such as app=vllm,tier=gpu"));
  return pairs.join(",");
}

function checkedPorts(text: string, faults: ConfigFault[]): readonly number[] {
  const ports = text.split(",").map((port) => port.trim());
  const isGood = ports.every((port) => /^\d{1,5}$/.test(port) && +port >= 1 && +port <= 65_535);
  const numbers = [...new Set(ports.map(Number))];
  if (!isGood || numbers.length > PORTS_MAX || numbers.length < ports.length) {
    const message = `must be 1 to ${PORTS_MAX} different ports, 1 to 65535, joined by commas`;
    faults.push(fault("--endpoint-target-ports", message));
  }
  return numbers;
}

function electionFault(why: string): ConfigError {
  return new ConfigError([fault("--ha-enable-leader-election", why)]);
}

function fault(path: string, message: string): ConfigFault {
  return { path, message };
}

function throwAny(faults: readonly ConfigFault[]): void {
  if (faults.length > 0) throw new ConfigError(faults);
}
