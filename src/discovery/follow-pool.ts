import type { Json } from "../core/json.ts";
import type { Log } from "../core/log.ts";
import type { Meter } from "../core/meter.ts";
import { type DiscoveredEndpoint, type EndpointDiff, EndpointSet } from "./endpoint-set.ts";
import { type PoolRef, type PoolShape, poolPaths, readPool } from "./inference-pool.ts";
import type { KubeApi } from "./kube-api.ts";
import { ListWatch } from "./list-watch.ts";
import { endpointsOf, type Pod, type PodsTaken, readPod } from "./pod.ts";

/** Pods that serve: those of an InferencePool, or those with some labels. */
export type PodSource =
  | { readonly kind: "pool"; readonly pool: PoolRef }
  | { readonly kind: "selector"; readonly namespace: string; readonly shape: PoolShape };

/** What follows a pool. */
export interface FollowPoolOptions {
  readonly api: KubeApi;
  readonly source: PodSource;
  /** Eligible pods unless given. */
  readonly takes?: PodsTaken;
  /** Endpoints came, changed or went. */
  changed(diff: EndpointDiff): void;
  readonly log: Log;
  readonly meter: Meter;
}

/** A pool that is followed. */
export interface FollowedPool {
  /** Whether the pool exists and its pods were listed. */
  isSynced(): boolean;
  describe(): Json;
  /** Nothing is told after this. */
  close(): Promise<void>;
}

/**
 * Follows an InferencePool and its pods, and reports the endpoints. While the API server is away, or
 * says what cannot be right, the endpoints stay; they go when the pool or the pod does.
 */
export function followPool(options: FollowPoolOptions): FollowedPool {
  return new PoolFollower(options);
}

class PoolFollower implements FollowedPool {
  readonly #options: FollowPoolOptions;
  readonly #namespace: string;
  readonly #known = new EndpointSet();
  readonly #pool: ListWatch<PoolShape> | undefined;
  #shape: PoolShape | undefined;
  /** Told once until the pool is there. */
  #isMissing = false;
  /** Those whose endpoints are in use. */
  #pods: ListWatch<Pod> | undefined;
  /** Those of another selector, until they are listed. */
  #nextPods: ListWatch<Pod> | undefined;
  /** Those that the endpoints in use have. */
  #ports: readonly number[] = [];
  /** Of each pod, at these ports: most pods are as they were when one changes. */
  #endpoints = new WeakMap<Pod, readonly DiscoveredEndpoint[]>();
  readonly #closing = new Set<Promise<void>>();

  constructor(options: FollowPoolOptions) {
    this.#options = options;
    const { api, source, log, meter } = options;
    if (source.kind === "selector") {
      this.#namespace = source.namespace;
      this.#take(source.shape);
      return;
    }
    const { pool } = source;
    this.#namespace = pool.namespace;
    this.#pool = new ListWatch({
      api,
      resource: "inferencepools",
      kind: "InferencePool",
      paths: poolPaths(pool),
      query: { fieldSelector: `metadata.name=${pool.name}` },
      read: readPool,
      changed: () => this.#poolChanged(pool.name),
      log,
      meter,
    });
  }

  isSynced(): boolean {
    return this.#shape !== undefined && this.#pods?.isSynced === true;
  }

  describe(): Json {
    const watches = [this.#pool, this.#pods, this.#nextPods];
    return {
      isSynced: this.isSynced(),
      selector: this.#shape?.selector ?? null,
      ports: this.#shape?.ports ?? [],
      watches: watches.flatMap((watch) => (watch === undefined ? [] : [watch.describe()])),
    };
  }

  async close(): Promise<void> {
    await Promise.all([this.#pool?.close(), this.#pods?.close(), this.#nextPods?.close()]);
    await Promise.all(this.#closing);
  }

  #poolChanged(name: string): void {
    // A resource that is not served says nothing of the pool.
    if (this.#pool?.isSynced !== true) return;
    const shape = this.#pool.objects.get(name);
    const wasMissing = this.#isMissing;
    this.#isMissing = shape === undefined;
    if (shape !== undefined) {
      this.#take(shape);
      return;
    }
    if (!wasMissing) {
      this.#options.log.warn("pool-missing", { namespace: this.#namespace, name });
    }
    this.#shape = undefined;
    this.#retire(this.#pods);
    this.#retire(this.#nextPods);
    this.#nextPods = undefined;
    this.#use(undefined);
  }

  #take(shape: PoolShape): void {
    const before = this.#shape;
    this.#shape = shape;
    if (before?.selector !== shape.selector) this.#followPods(shape.selector);
    else if (before.ports.join() !== shape.ports.join() && this.#nextPods === undefined) {
      this.#use(this.#pods);
    }
  }

  /** From here on the endpoints are those of these pods at the pool's ports. */
  #use(pods: ListWatch<Pod> | undefined): void {
    this.#pods = pods;
    this.#ports = this.#shape?.ports ?? [];
    this.#endpoints = new WeakMap();
    this.#tell();
  }

  /** Endpoints of the selector before stay until the pods of this one are listed. */
  #followPods(labelSelector: string): void {
    this.#retire(this.#nextPods);
    const { api, log, meter } = this.#options;
    const pods: ListWatch<Pod> = new ListWatch({
      api,
      resource: "pods",
      kind: "Pod",
      paths: [`/api/v1/namespaces/${this.#namespace}/pods`],
      query: { labelSelector },
      read: readPod,
      changed: () => {
        if (pods === this.#pods) this.#tell();
        if (pods !== this.#nextPods || !pods.isSynced) return;
        this.#retire(this.#pods);
        this.#nextPods = undefined;
        this.#use(pods);
      },
      log,
      meter,
    });
    this.#nextPods = pods;
  }

  #tell(): void {
    const endpoints: DiscoveredEndpoint[] = [];
    for (const pod of this.#pods?.objects.values() ?? []) {
      const known = this.#endpoints.get(pod) ?? endpointsOf(pod, this.#ports, this.#options.takes);
      this.#endpoints.set(pod, known);
      for (const endpoint of known) endpoints.push(endpoint);
    }
    const diff = this.#known.replace(endpoints);
    if (diff.changes.length > 0) this.#options.changed(diff);
  }

  #retire(watch: ListWatch<Pod> | undefined): void {
    if (watch === undefined) return;
    const closed = watch.close();
    this.#closing.add(closed);
    void closed.finally(() => this.#closing.delete(closed));
  }
}
