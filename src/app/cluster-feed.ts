import type { Json } from "../core/json.ts";
import { type FollowedPool, followPool, type PodSource } from "../discovery/follow-pool.ts";
import type { KubeApi } from "../discovery/kube-api.ts";
import { type FollowedObjects, followObjects } from "../discovery/pool-objects.ts";
import type { EndpointFeed, FeedPorts } from "./endpoint-feed.ts";

/** The endpoints of pods in Kubernetes, and the objects that refer to their InferencePool. */
export class ClusterFeed implements EndpointFeed {
  readonly #api: KubeApi;
  readonly #source: PodSource;
  #pool: FollowedPool | undefined;
  /** Only a pool is referred to. */
  #objects: FollowedObjects | undefined;

  constructor(api: KubeApi, source: PodSource) {
    this.#api = api;
    this.#source = source;
  }

  start({ endpoints, objects, log, meter }: FeedPorts): void {
    const common = { api: this.#api, log, meter };
    this.#pool = followPool({ ...common, source: this.#source, changed: endpoints });
    if (this.#source.kind === "pool") {
      this.#objects = followObjects({ ...common, pool: this.#source.pool, changed: objects });
    }
  }

  isSynced(): boolean {
    return this.#pool?.isSynced() === true && this.#objects?.isSynced() !== false;
  }

  describe(): Json {
    return { pool: this.#pool?.describe() ?? null, objects: this.#objects?.describe() ?? null };
  }

  async close(): Promise<void> {
    await Promise.all([this.#pool?.close(), this.#objects?.close()]);
  }
}
