import { type EnginePlans, planEngines } from "../app/engine-plan.ts";
import { checkSettings, type ServiceSetting } from "../app/per-service.ts";
import { loadRegistry } from "../app/plugin-registry.ts";
import { readModelFile } from "../app/read-model-file.ts";
import type { Arm } from "../compare/arm.ts";
import type { CellBench } from "../compare/cell.ts";
import { type Normalised, normalise } from "../compare/normalise.ts";
import { type Pair, pairOf, type Side } from "../compare/side.ts";
import { loadService } from "../manifest/load-service.ts";
import type { Slo } from "../sim/report.ts";
import { DEFAULT_SETTINGS } from "../sim/scenario.ts";
import { type WorkloadFlags, workloadOf } from "./workload-flags.ts";

/** What the two services are loaded and simulated with, as plain data: it travels to workers. */
export interface BenchRequest {
  readonly files: readonly [ManifestText, ManifestText];
  readonly plugins: readonly string[];
  readonly gpus: readonly ServiceSetting<string>[];
  readonly modelFile: { readonly text: string; readonly file: string } | undefined;
  readonly workload: WorkloadFlags;
  readonly slo: Slo;
}

/** A file that was read. */
export interface ManifestText {
  readonly file: string;
  readonly text: string;
}

/** The two services with everything that their simulation needs. */
export interface ComparisonBench {
  readonly written: Pair;
  readonly equal: Normalised;
  readonly bench: CellBench;
  /** What an operator should know about the services as written. */
  readonly warnings: readonly string[];
}

/** Loads both services; throws ConfigError for files, models and GPUs that cannot be. */
export async function openBench(request: BenchRequest): Promise<ComparisonBench> {
  const registry = await loadRegistry(request.plugins);
  const [left, right] = request.files.map(({ file, text }) => ({
    file,
    service: loadService({ text, file, registry }),
  })) as [Parameters<typeof pairOf>[0], Parameters<typeof pairOf>[1]];
  checkSettings("--gpu", request.gpus, [left.service, right.service]);
  const written = pairOf(left, right);
  const equal = normalise(written);
  const settings = { ...DEFAULT_SETTINGS, slo: request.slo };
  return {
    written,
    equal,
    bench: {
      arms: { written: armsOf(written, request), equal: armsOf(equal.pair, request) },
      settings,
      // Both get the first one's traffic, where a recording holds several pools.
      askedWorkload: (seed, facts) =>
        workloadOf({ ...request.workload, seed }, facts, left.service.name),
    },
    warnings: [written.left, written.right].flatMap((side) => planOf(side, request).warnings),
  };
}

function armsOf({ left, right }: Pair, request: BenchRequest): CellBench["arms"]["written"] {
  return { left: armOf(left, request), right: armOf(right, request) };
}

function armOf(side: Side, request: BenchRequest): Arm {
  return { ...side, engines: planOf(side, request).engines };
}

/** Sides are planned one by one: they may serve one model, which one router could not. */
function planOf({ service }: Side, { gpus, modelFile }: BenchRequest): EnginePlans {
  const model = modelFile && readModelFile(modelFile);
  const own = gpus.filter((setting) => [undefined, service.name].includes(setting.service));
  return planEngines([service], { replicas: [], prefillReplicas: [], gpus: own, model });
}
