import type { Pool, Service } from "../manifest/service.ts";

/** What is known about models and GPUs beyond the files; the caller brings it. */
export interface Facts {
  /** Undefined for a model that is not known. */
  model(nameOrUri: string): ModelFacts | undefined;
  /** KV cache of one engine of a pool on each GPU that is considered and that the model fits on. */
  kvCaches(service: Service, pool: Pool): readonly KvCacheFacts[];
}

/** Size of a model. */
export interface ModelFacts {
  readonly name: string;
  readonly weightBytes: number;
  readonly contextTokens: number;
}

/** KV cache of an engine on a GPU. */
export interface KvCacheFacts {
  readonly gpu: string;
  readonly blockCount: number;
  readonly blockTokens: number;
}
