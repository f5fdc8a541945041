// Times `switchyard compare` of the two examples with its default sweep:
//   node test/bench/compare.ts
import { EXAMPLES, runCli } from "../fixtures/running-up.ts";

/** What the whole comparison may take on two cores. */
const BUDGET_SECONDS = 60;

const startMs = performance.now();
const { code, stderr } = await runCli(["compare", ...EXAMPLES, "--normalize"]);
const seconds = (performance.now() - startMs) / 1000;
if (code !== 0) throw new Error(stderr);
const verdict = seconds < BUDGET_SECONDS ? "within" : "MISSES";
console.log(
  `compare of the examples: ${seconds.toFixed(1)} s, ${verdict} the budget of ${BUDGET_SECONDS} s`,
);
