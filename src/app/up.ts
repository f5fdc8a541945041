import type { LoadOptions } from "../config/load-options.ts";
import { ConfigError } from "../core/config-error.ts";
import type { Log } from "../core/log.ts";
import type { ModelSpec } from "../engine/model-spec.ts";
import { scaledClock } from "../engine-server/scaled-clock.ts";
import { loadService } from "../manifest/load-service.ts";
import type { Service } from "../manifest/service.ts";
import { checkServices } from "../manifest/service-set.ts";
import { poolKey } from "./endpoint-plan.ts";
import { EngineFleet } from "./engine-fleet.ts";
import { EngineHostClient } from "./engine-host-client.ts";
import type { EngineAddress } from "./engine-host-protocol.ts";
import { type EnginePlan, type EngineSettingsGiven, planEngines } from "./engine-plan.ts";
import type { ConfigSource } from "./file-reload.ts";
import type { RouterOptions } from "./router-options.ts";
import { type Router, startRouter } from "./start-router.ts";

/** What `up` was asked for. */
export interface UpSettings extends EngineSettingsGiven {
  readonly services: readonly Service[];
  /** What a changed manifest may use. */
  readonly loading: LoadOptions;
  /** The manifests' files, in the same order; each is watched for changes of its picker configuration. */
  readonly files: readonly { readonly file: string; readonly text: string }[];
  readonly host: string;
  readonly port: number;
  readonly adminHost: string;
  readonly adminPort: number;
  readonly timeScale: number;
  readonly seed: number;
  readonly isCorrectingMetrics: boolean;
  readonly prefillFallback: "decode" | "error";
  readonly model: ModelSpec | undefined;
  readonly options: RouterOptions;
  readonly log: Log;
  /** File that every input of the cores is written to. */
  readonly record?: string | undefined;
  /** Called when the engines keep dying and nothing can be served any more. */
  gaveUp(): void;
}

/** A running `up`. */
export interface RunningUp {
  readonly router: Router;
  readonly plans: readonly EnginePlan[];
  /** What the operator should know before the first request. */
  readonly warnings: readonly string[];
  addressOf(engine: string): EngineAddress | undefined;
  stop(): Promise<void>;
}

/** The sidecars of `up` get the best prefill endpoint and one fallback. */
const PREFILL_CANDIDATES = 2;

/** Starts engines, sidecars and the router; rejects with nothing left running. */
export async function startUp(settings: UpSettings): Promise<RunningUp> {
  const { services, timeScale, seed, log, host: address } = settings;
  checkServices(services);
  const { engines: plans, warnings } = planEngines(services, settings);
  if (plans.length === 0) {
    throw new ConfigError([
      { path: "replicas", message: "the manifests ask for no engine at all" },
    ]);
  }
  const clock = scaledClock(timeScale);
  const fleet = new EngineFleet(plans, clock, () => settings.gaveUp());
  const { prefillFallback } = settings;
  const host = new EngineHostClient({
    launch: { kind: "launch", engines: plans, host: address, timeScale, seed, prefillFallback },
    log,
    events: fleet,
  });
  const router = await startRouter({
    ...settings,
    pools: services.map((service, index) => ({
      key: poolKey(service, services),
      namespace: service.namespace,
      name: service.name,
      config: service.config,
      modelName: service.modelName,
      source: manifestSource(service, settings.files[index], settings.loading),
      feed: undefined,
    })),
    clock,
    prefillCandidates: PREFILL_CANDIDATES,
    engines: host,
    isEstimating: true,
  });
  fleet.serve(router);
  try {
    await host.open();
  } catch (error) {
    await host.close();
    await router.drain();
    throw error;
  }
  return {
    router,
    plans,
    warnings,
    addressOf: (engine) => fleet.addressOf(engine),
    async stop() {
      await router.drain();
      await host.close();
    },
  };
}

/** A changed manifest gives a new picker configuration; what it says of engines waits for a restart. */
function manifestSource(
  service: Service,
  file: { readonly file: string; readonly text: string } | undefined,
  loading: LoadOptions,
): ConfigSource | undefined {
  if (file === undefined) return undefined;
  return {
    ...file,
    load(text) {
      const next = loadService({ ...loading, text, file: file.file });
      const isSame = (["namespace", "name", "modelName"] as const).every(
        (field) => next[field] === service[field],
      );
      if (isSame) return next.config;
      const message = "namespace, name and model of a running service cannot change";
      throw new ConfigError([{ path: "metadata", message, position: next.position }]);
    },
  };
}
