import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { Cell } from "../compare/cell.ts";
import { ConfigError } from "../core/config-error.ts";
import type { ServiceReport } from "../sim/report.ts";
import type { BenchRequest } from "./comparison-bench.ts";
import type { WorkerAnswer } from "./comparison-worker.ts";

/** More threads than this wait for memory, not for each other. */
const WORKERS_MAX = 16;

/** Worker threads that simulate cells; results do not depend on who ran what. */
export class ComparisonPool implements AsyncDisposable {
  readonly #workers: readonly Worker[];
  readonly #results = new Map<string, ServiceReport>();

  constructor(request: BenchRequest) {
    const count = Math.min(availableParallelism(), WORKERS_MAX);
    const file = new URL("./comparison-worker.ts", import.meta.url);
    this.#workers = Array.from({ length: count }, () => new Worker(file, { workerData: request }));
  }

  /** Reports so far, by the cells' keys. */
  get results(): ReadonlyMap<string, ServiceReport> {
    return this.#results;
  }

  /** Runs every cell; resolves early, with what there is, when the signal says stop. */
  async run(cells: readonly Cell[], onDone: () => void, signal: AbortSignal): Promise<void> {
    const queue = cells[Symbol.iterator]();
    await Promise.all(
      this.#workers.map(async (worker) => {
        for (const cell of queue) {
          if (signal.aborted) return;
          const answer = await ask(worker, cell, signal);
          if (answer === undefined) return;
          if (answer.kind === "refused") throw new ConfigError(answer.faults);
          this.#results.set(answer.result.key, answer.result.report);
          onDone();
        }
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}

/** Undefined when the signal came first. */
function ask(worker: Worker, cell: Cell, signal: AbortSignal): Promise<WorkerAnswer | undefined> {
  return new Promise((resolve, reject) => {
    const settle = (finish: () => void): void => {
      worker.off("message", onMessage).off("error", onError).off("exit", onExit);
      signal.removeEventListener("abort", onAbort);
      finish();
    };
    const onMessage = (answer: WorkerAnswer): void => settle(() => resolve(answer));
    const onError = (error: unknown): void => settle(() => reject(error));
    const onExit = (): void => settle(() => reject(new Error("a simulation thread ended")));
    const onAbort = (): void => settle(() => resolve(undefined));
    worker.on("message", onMessage).on("error", onError).on("exit", onExit);
    signal.addEventListener("abort", onAbort, { once: true });
    worker.postMessage(cell);
  });
}
