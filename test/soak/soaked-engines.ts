import { renameSync, writeFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import type { Rng } from "../../src/core/rng.ts";
import { freePorts } from "../fixtures/free-ports.ts";
import { endpointsText } from "../fixtures/running-epp.ts";
import { RunningProgram } from "../fixtures/running-program.ts";

export const MODEL = "Qwen/Qwen3-0.6B";
export const ENGINES = 4;
// Fewer would make most answers 503.
const LISTED_MIN = 2;
const DOWN_MS = 1000;

/** Simulated engines, each a process, and the file that lists some of them. */
export class SoakedEngines implements AsyncDisposable {
  readonly #ports: readonly number[];
  readonly #running: (RunningProgram | undefined)[] = [];
  readonly #file: string;

  private constructor(ports: readonly number[], file: string) {
    this.#ports = ports;
    this.#file = file;
  }

  static async start(file: string): Promise<SoakedEngines> {
    const engines = new SoakedEngines(await freePorts(ENGINES), file);
    for (let at = 0; at < ENGINES; at++) await engines.#startOne(at);
    engines.listAll();
    return engines;
  }

  listAll(): void {
    this.#list(this.#ports.map((_, at) => at));
  }

  /** Adds and removes endpoints at random. */
  listSome(rng: Rng): void {
    const count = LISTED_MIN + rng.below(ENGINES - LISTED_MIN + 1);
    const first = rng.below(ENGINES);
    this.#list(Array.from({ length: count }, (_, i) => (first + i) % ENGINES));
  }

  /** Kills one with what it answers at the moment, and starts it again at its port. */
  async restartOne(rng: Rng): Promise<void> {
    const at = rng.below(ENGINES);
    await this.#running[at]?.kill();
    this.#running[at] = undefined;
    await delay(DOWN_MS);
    await this.#startOne(at);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#running.map((engine) => engine?.stop()));
  }

  async #startOne(at: number): Promise<void> {
    const port = String(this.#ports[at]);
    const args = ["engine", "--model", MODEL, "--port", port];
    this.#running[at] = await RunningProgram.start(args, MODEL);
  }

  #list(indexes: readonly number[]): void {
    const listed = indexes.map((at) => ({
      name: `engine-${at}`,
      address: `127.0.0.1:${this.#ports[at]}`,
    }));
    replaceFile(this.#file, endpointsText(listed));
  }
}

/** Never leaves half a file to be read. */
export function replaceFile(file: string, text: string): void {
  writeFileSync(`${file}.next`, text);
  renameSync(`${file}.next`, file);
}
