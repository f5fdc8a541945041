import { z } from "zod";
import {
  inFlightRequests,
  inFlightTokens,
  kvCacheUsage,
  runningRequests,
  waitingQueueDepth,
} from "../endpoints/numeric-attribute.ts";
import { definePlugin, noParams } from "./define-plugin.ts";
import { paramsOf } from "./params.ts";
import { prefixMatch, promptTokens, sessionId } from "./request-attribute.ts";
import { knownRange, lowerIsBetter, UNKNOWN_SCORE } from "./score-scale.ts";

/** What a plugin from outside the tree is made with; it gets this as an argument and imports nothing. */
export interface PluginApi {
  readonly definePlugin: typeof definePlugin;
  readonly noParams: typeof noParams;
  readonly paramsOf: typeof paramsOf;
  /** zod, for parameters. */
  readonly z: typeof z;
  readonly columns: {
    readonly waitingQueueDepth: typeof waitingQueueDepth;
    readonly runningRequests: typeof runningRequests;
    readonly kvCacheUsage: typeof kvCacheUsage;
    readonly inFlightRequests: typeof inFlightRequests;
    readonly inFlightTokens: typeof inFlightTokens;
  };
  readonly attributes: {
    readonly prefixMatch: typeof prefixMatch;
    readonly promptTokens: typeof promptTokens;
    readonly sessionId: typeof sessionId;
  };
  readonly knownRange: typeof knownRange;
  readonly lowerIsBetter: typeof lowerIsBetter;
  /** Score of a candidate of which nothing is known. */
  readonly UNKNOWN_SCORE: number;
}

/** The one value of it. */
export const pluginApi: PluginApi = {
  definePlugin,
  noParams,
  paramsOf,
  z,
  columns: { waitingQueueDepth, runningRequests, kvCacheUsage, inFlightRequests, inFlightTokens },
  attributes: { prefixMatch, promptTokens, sessionId },
  knownRange,
  lowerIsBetter,
  UNKNOWN_SCORE,
};
