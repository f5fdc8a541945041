import type { Json } from "../core/json.ts";
import type { PoolNews, PoolSharing } from "../director/pool-sharing.ts";
import type { Decision } from "../scheduling/decision.ts";
import type { MetricSnapshot } from "../telemetry/instruments.ts";
import type { PoolObjectEntries } from "./endpoint-feed.ts";
import type { LegsOptions } from "./legs-options.ts";
import type { RouterOptions } from "./router-options.ts";

/** All that a routing thread is started with; everything in it can be cloned. */
export interface ThreadStart {
  /** From 1 on. */
  readonly thread: number;
  readonly host: string;
  /** The same for all threads. */
  readonly port: number;
  /** Start of the router's clock, in milliseconds of the process's. */
  readonly clockStartMs: number;
  readonly pools: readonly ThreadPoolStart[];
  readonly plugins: PluginFiles;
  readonly seed: number;
  readonly prefillCandidates: number;
  /** Undefined where sidecars run both legs of split requests. */
  readonly legs: LegsOptions | undefined;
  readonly isCorrectingMetrics: boolean;
  /** This thread's part of the limits. */
  readonly options: RouterOptions;
}

/** Where plugins of the operator's own are read from. */
export interface PluginFiles {
  readonly files: readonly string[];
  readonly allowAlpha: boolean;
}

/** A pool as a thread is told of it. */
export interface ThreadPoolStart {
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  /** Seeds the chains of KV events, as in the owner. */
  readonly modelName: string;
  readonly models: readonly string[];
  readonly config: { readonly file: string; readonly text: string };
  /** What a feed adds to it. */
  readonly objects: PoolObjectEntries;
  readonly sharing: Omit<PoolSharing, "tell">;
}

/** What the owner asks a thread. */
export type ThreadQuestion =
  | { readonly kind: "metrics" }
  | { readonly kind: "decisions"; readonly limit: number }
  | { readonly kind: "decision"; readonly pool: string; readonly number: number }
  | { readonly kind: "rings" };

/** Sizes of a thread's decision rings, by pool. */
export type ThreadRings = Readonly<
  Record<string, { readonly count: number; readonly sizeBytes: number }>
>;

/** What it answers. */
export type ThreadAnswer =
  | { readonly kind: "metrics"; readonly snapshot: MetricSnapshot }
  | { readonly kind: "decisions"; readonly decisions: readonly Decision[] }
  | { readonly kind: "rings"; readonly rings: ThreadRings };

/** From the owner to a thread. */
export type ToThread =
  | { readonly kind: "news"; readonly pool: string; readonly news: PoolNews }
  /** A valid change of the pool's file. */
  | { readonly kind: "config"; readonly pool: string; readonly text: string }
  | { readonly kind: "objects"; readonly pool: string; readonly objects: PoolObjectEntries }
  | { readonly kind: "models"; readonly pool: string; readonly models: readonly string[] }
  | { readonly kind: "forget"; readonly address: string }
  /** Whether somebody reads events. */
  | { readonly kind: "watched"; readonly isWatched: boolean }
  | { readonly kind: "ask"; readonly call: number; readonly question: ThreadQuestion }
  | { readonly kind: "drain" };

/** From a thread to the owner. */
export type FromThread =
  | { readonly kind: "listening" }
  | { readonly kind: "news"; readonly pool: string; readonly news: PoolNews }
  | { readonly kind: "event"; readonly event: string; readonly fields: Json }
  | { readonly kind: "answer"; readonly call: number; readonly answer: ThreadAnswer };
