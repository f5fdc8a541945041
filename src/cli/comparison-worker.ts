import { parentPort, workerData } from "node:worker_threads";
import { type Cell, type CellResult, runCell } from "../compare/cell.ts";
import { ConfigError, type ConfigFault } from "../core/config-error.ts";
import { invariant } from "../core/invariant.ts";
import { type BenchRequest, openBench } from "./comparison-bench.ts";
import { UsageError } from "./usage-error.ts";

/** What a worker answers to a cell. */
export type WorkerAnswer =
  | { readonly kind: "done"; readonly result: CellResult }
  /** The user's fault: the same sentence as without a worker. */
  | { readonly kind: "refused"; readonly faults: readonly ConfigFault[] };

invariant(parentPort !== null, "this file is started as a worker");
const port = parentPort;
const opened = openBench(workerData as BenchRequest);

port.on("message", (cell: Cell) => {
  answer(cell).then(
    (said) => port.postMessage(said),
    // A fault of the program ends the worker with its stack; the owner reports it.
    (error: unknown) => {
      queueMicrotask(() => {
        throw error;
      });
    },
  );
});

async function answer(cell: Cell): Promise<WorkerAnswer> {
  try {
    const { bench } = await opened;
    const result = await runCell(cell, bench);
    invariant(result !== undefined, "a cell without checkpoint was stopped");
    return { kind: "done", result };
  } catch (error) {
    if (error instanceof ConfigError) return { kind: "refused", faults: error.faults };
    if (!(error instanceof UsageError)) throw error;
    return { kind: "refused", faults: [{ path: "", message: error.message }] };
  }
}
