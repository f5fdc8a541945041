import { readFileSync } from "node:fs";
import { planEngines } from "../app/engine-plan.ts";
import { builtinRegistry } from "../app/plugin-registry.ts";
import { loadService } from "../manifest/load-service.ts";
import type { Service } from "../manifest/service.ts";
import { DEFAULT_SETTINGS } from "../sim/scenario.ts";
import type { Arm } from "./arm.ts";
import type { CellBench } from "./cell.ts";
import { normalise } from "./normalise.ts";
import { type Pair, pairOf, type Side } from "./side.ts";

const root = new URL("../../", import.meta.url);

/** Text of a file of the repository. */
export function readRepositoryFile(path: string): string {
  return readFileSync(new URL(path, root), "utf8");
}

/** An example with some text replaced; every pattern has to be there. */
export function exampleService(
  name: "gpt-oss-20b" | "qwen-pd",
  edits: readonly (readonly [pattern: string, replacement: string])[] = [],
): Service {
  const file = `examples/${name}.yaml`;
  let text = readRepositoryFile(file);
  for (const [pattern, replacement] of edits) {
    if (!text.includes(pattern)) throw new Error(`${file} does not say ${pattern}`);
    text = text.replaceAll(pattern, replacement);
  }
  return loadService({ text, file, registry: builtinRegistry() });
}

/** Two services as a pair. */
export function pairWith(left: Service, right: Service): Pair {
  return pairOf({ service: left, file: "left.yaml" }, { service: right, file: "right.yaml" });
}

/** The two examples: single pool left, split right. */
export function examplePair(): Pair {
  return pairWith(exampleService("gpt-oss-20b"), exampleService("qwen-pd"));
}

/** What cells of a pair are run with; both terms are the normalised ones. */
export function benchOf(pair: Pair): CellBench {
  const equal = normalise(pair).pair;
  const arms = { left: armOf(equal.left), right: armOf(equal.right) };
  return {
    arms: { written: arms, equal: arms },
    settings: { ...DEFAULT_SETTINGS, slo: { ttftMs: 2000, tpotMs: 25 } },
    askedWorkload: () => {
      throw new Error("no traffic is asked for here");
    },
  };
}

function armOf({ label, service }: Side): Arm {
  const plan = { replicas: [], prefillReplicas: [], gpus: [], model: undefined };
  return { label, service, engines: planEngines([service], plan).engines };
}
