import type { ProfileName } from "../core/brand.ts";
import type { Usage } from "../core/exchange-report.ts";
import type { Json } from "../core/json.ts";
import type { EndCause, Rejection } from "../core/rejection.ts";
import type { InferenceRequest } from "../request/inference-request.ts";
import type { Candidates, Cycle, HandlerCycle, RequestCycle } from "./cycle.ts";
import type { AttributeWriter } from "./request-attribute.ts";

/** Chooses which profiles run and which result is the destination. Exactly one per configuration. */
export interface ProfileHandler {
  /** Called until it returns none; each profile runs at most once. A throw is a 500. */
  pick(cycle: HandlerCycle): readonly ProfileName[];
  /** Called once, after `pick` returned none. */
  result(cycle: HandlerCycle): HandlerResult;
}

/** What the handler makes of the profiles' outcomes. */
export type HandlerResult =
  | {
      readonly kind: "scheduled";
      /** Profile whose first endpoint receives the request. */
      readonly primary: ProfileName;
      /** Profile that chose prefill endpoints, when the request is split. */
      readonly prefill: ProfileName | undefined;
      /** Profile that chose encode endpoints, for requests with images, audio or video. */
      readonly encode?: ProfileName | undefined;
      /** Port at which the destination is reached instead of its own (data-parallel ranks). */
      readonly primaryPort?: number | undefined;
    }
  | { readonly kind: "rejected"; readonly rejection: Rejection };

/** What plan hooks may change before the request leaves. */
export interface PlanEditor {
  /** Slots of the destination, best first. */
  readonly primary: readonly number[];
  /** Slots of the prefill choice, best first; empty when the request is not split. */
  readonly prefill: readonly number[];
  /** Slots of the encode choice, best first. */
  readonly encode: readonly number[];
  setHeader(name: string, value: string): void;
}

/** What response hooks may add to the answer's head. */
export interface ResponseHeadEditor {
  setHeader(name: string, value: string): void;
}

/** A request on its way, as the hooks after dispatch see it. */
export interface Exchange {
  readonly request: InferenceRequest;
  /** Slot that serves it, after retries. */
  readonly slot: number;
  readonly prefillSlot: number | undefined;
  readonly usage: Usage | undefined;
}

/** What happened to an endpoint. */
export type EndpointStep = "added" | "removed" | "ejected";

/** Roles that an instance may have; it is registered under each. */
export const ROLES = [
  "handler",
  "filter",
  "score",
  "pick",
  "onRequest",
  "produce",
  "admit",
  "onPlan",
  "decide",
  "onResponseHead",
] as const;
export type Role = (typeof ROLES)[number];

/** One configured plugin. All methods are synchronous; what needs I/O reads a column filled in the background. */
export interface PluginInstance {
  readonly handler?: ProfileHandler;
  /** Drops candidates, each with a reason; may not add any. A throw fails the profile. */
  filter?(
    cycle: Cycle,
    candidates: Candidates,
    reject: (index: number, reason: string) => void,
  ): void;
  /** Writes a score 0..1 for each candidate; a throw counts as 0 for all. */
  score?(cycle: Cycle, candidates: Candidates, scores: Float64Array): void;
  /**
   * Writes candidate indexes to `order`, best first, and returns how many `epp` advertises. The best
   * 32, or as many as are advertised, are ranked (`rankedCount`); what stands behind them is not read. A throw fails the profile.
   */
  pick?(cycle: Cycle, candidates: Candidates, totals: Float64Array, order: Int32Array): number;
  /**
   * Whether the stage that a profile handler asks about is split off; called by handlers only.
   * `decodeSlot` is undefined while no decode endpoint is chosen.
   */
  decide?(cycle: RequestCycle, decodeSlot: number | undefined): boolean;
  /**
   * Work on the request alone that would else be done during the decision, such as hashing its prompt: a
   * router of several threads decides one request at a time, and this is called before its turn.
   */
  prepare?(request: InferenceRequest): void;
  /** Reads the request before candidates are read. */
  onRequest?(request: InferenceRequest, set: AttributeWriter): void;
  /** Sets request attributes from background state, before any profile runs. */
  produce?(cycle: RequestCycle): void;
  /** May refuse the request. */
  admit?(cycle: RequestCycle): Rejection | undefined;
  /** Called once the endpoints are chosen: headers, recording, bindings. */
  onPlan?(cycle: HandlerCycle, plan: PlanEditor): void;
  /** The destination changed from one endpoint to another by a retry. */
  onRetry?(exchange: Exchange, failedSlot: number): void;
  /** Called before the head of the answer is sent: what it sets is added for the client. */
  onResponseHead?(exchange: Exchange, head: ResponseHeadEditor): void;
  onFirstByte?(exchange: Exchange): void;
  /** Called exactly once for each dispatched request. */
  onEnd?(exchange: Exchange, how: EndCause): void;
  /** `ejected`: health was lost, and the engine may come back without its cache. */
  onEndpoint?(slot: number, change: EndpointStep): void;
  /** For the admin API. */
  dumpState?(): Json;
  /** Carried over a reload to the instance of the same name and type. */
  saveState?(): unknown;
  loadState?(state: unknown): void;
}
