import type { RouterCore } from "../../director/router-core.ts";

/** A pool as the front sees it: how it is addressed and what it serves. */
export interface FrontPool {
  /** Unique among the front's pools; decision ids begin with it. */
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  readonly core: RouterCore;
  /** Asked for at each `GET /v1/models`. */
  servedModels(): readonly ServedModel[];
  /** Asked for at each request. */
  serves(model: string): boolean;
  /** Whether the name stands in the configuration or in an engine's list: others stay out of logs and metrics. */
  isNamed(model: string): boolean;
}

/** A model as `GET /v1/models` lists it. */
export interface ServedModel {
  readonly id: string;
  /** Unix seconds. */
  readonly created: number;
  readonly ownedBy: string;
}
