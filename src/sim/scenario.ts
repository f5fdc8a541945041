import type { RouterConfig } from "../config/router-config.ts";
import type { Labels } from "../endpoints/endpoint-table.ts";
import type { EngineConfig } from "../engine/engine-config.ts";
import type { Slo } from "./report.ts";
import type { Workload } from "./workload/workload.ts";

/** What is simulated. */
export interface Scenario {
  readonly services: readonly SimulatedService[];
  readonly settings: SimulationSettings;
}

/** A pool with its router, its engines and what its clients do. Services share nothing. */
export interface SimulatedService {
  readonly name: string;
  readonly modelName: string;
  readonly config: RouterConfig;
  readonly engines: readonly EngineSpec[];
  readonly workload: Workload;
}

/** One engine as it is planned from a manifest. */
export interface EngineSpec {
  readonly name: string;
  readonly labels: Labels;
  readonly config: EngineConfig;
  /** How KV-cache blocks leave its host; with `none` every transfer fails. */
  readonly link: {
    readonly kind: "rdma" | "tcp" | "none";
    /** The transport's usual rate unless set. */
    readonly bytesPerSecond?: number;
  };
  readonly isKvConnectorEnabled: boolean;
  /** Whether the endpoint is a decode engine behind its sidecar; without one no request is split. */
  readonly hasSidecar: boolean;
}

/** What lies between clients and engines. */
export interface SimulationSettings {
  readonly seed: number;
  /** Client, gateway and router together, before an engine hears of a request. */
  readonly overheadMs: number;
  /** One way between two hosts. */
  readonly networkMs: number;
  /** Between two scrapes of an endpoint; each endpoint has its own phase. */
  readonly scrapeIntervalMs: number;
  /** For which an engine gathers KV events before the router hears of them. */
  readonly kvEventDelayMs: number;
  /** Whether the router adds what it sent since the last scrape. */
  readonly isCorrectingMetrics: boolean;
  readonly slo: Slo | undefined;
}

/** Fixed time of a request by set-up, fitted to published tables: vLLM alone, long prompts, llm-d's gateway. */
export const OVERHEAD_MS = { direct: 7, longPrompts: 25, gateway: 55 } as const;

/** What holds unless set; the intervals are those of `up`. */
export const DEFAULT_SETTINGS: SimulationSettings = {
  seed: 1,
  overheadMs: OVERHEAD_MS.gateway,
  networkMs: 0.1,
  scrapeIntervalMs: 1000,
  kvEventDelayMs: 1,
  isCorrectingMetrics: true,
  slo: undefined,
};
