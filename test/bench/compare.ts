// Times `switchyard compare` of the two examples with its default sweep:
//   node test/bench/compare.ts
import { EXAMPLES, runCli } from "../fixtures/running-up.ts";
import { atMost, type Measure, runProgram } from "./measure.ts";

// Two cores.
const BUDGET_SECONDS = 60;

if (import.meta.main) await runProgram(measureCompare);

/** Time of the whole comparison. */
export async function measureCompare(): Promise<readonly Measure[]> {
  const startMs = performance.now();
  const { code, stderr } = await runCli(["compare", ...EXAMPLES, "--normalize"]);
  const value = (performance.now() - startMs) / 1000;
  if (code !== 0) throw new Error(stderr);
  return [{ name: "compare of the examples", value, unit: "s", budget: atMost(BUDGET_SECONDS) }];
}
