import { Worker } from "node:worker_threads";
import type {
  FromThread,
  ThreadAnswer,
  ThreadQuestion,
  ThreadStart,
  ToThread,
} from "./thread-protocol.ts";

/** A thread that is busy this long is left out of an answer. */
const ANSWER_MS = 2000;
/** What ends a drain beyond its own limit. */
const STOP_MS = 5000;

/** One routing thread as its owner sees it. */
export class RoutingThread {
  readonly thread: number;
  /** Resolves when the front listens, rejects when it cannot. */
  readonly listening: Promise<void>;
  /** Resolves with the reason when the thread has ended, for whatever cause. */
  readonly ended: Promise<string>;
  readonly #worker: Worker;
  readonly #calls = new Map<number, (answer: ThreadAnswer | undefined) => void>();
  #lastCall = 0;
  #hasEnded = false;

  constructor(start: ThreadStart, hear: (message: FromThread) => void) {
    this.thread = start.thread;
    const worker = new Worker(new URL("router-thread.ts", import.meta.url), { workerData: start });
    this.#worker = worker;
    const listening = Promise.withResolvers<void>();
    let reason = "it ended by itself";
    worker.on("message", (message: FromThread) => {
      if (message.kind === "listening") listening.resolve();
      else if (message.kind === "answer") this.#settle(message.call, message.answer);
      else hear(message);
    });
    worker.on("error", (error: unknown) => {
      reason = error instanceof Error ? error.message : String(error);
      listening.reject(error);
    });
    this.listening = listening.promise;
    this.ended = new Promise((resolve) => {
      worker.once("exit", () => {
        this.#hasEnded = true;
        listening.reject(new Error(reason));
        for (const call of this.#calls.keys()) this.#settle(call, undefined);
        resolve(reason);
      });
    });
    // A thread that fails later is found by its end; only a start waits for this promise.
    this.listening.catch(() => undefined);
  }

  post(message: ToThread): void {
    this.#worker.postMessage(message);
  }

  /** Undefined from a thread that is dead or too busy. */
  ask(question: ThreadQuestion): Promise<ThreadAnswer | undefined> {
    if (this.#hasEnded) return Promise.resolve(undefined);
    const call = ++this.#lastCall;
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#settle(call, undefined), ANSWER_MS);
      this.#calls.set(call, (answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
      this.post({ kind: "ask", call, question });
    });
  }

  /** Finishes what is under way, then ends; a thread that does not is ended. */
  async drain(drainTimeoutMs: number): Promise<void> {
    this.post({ kind: "drain" });
    const timer = setTimeout(() => void this.#worker.terminate(), drainTimeoutMs + STOP_MS);
    await this.ended;
    clearTimeout(timer);
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
  }

  #settle(call: number, answer: ThreadAnswer | undefined): void {
    const resolve = this.#calls.get(call);
    this.#calls.delete(call);
    resolve?.(answer);
  }
}
