import process from "node:process";

/** Columns of the bar itself. */
const WIDTH = 30;

/** A bar on the error stream of a terminal; elsewhere nothing is written. */
export class ProgressBar {
  readonly #label: string;
  #done = 0;
  #total = 0;

  constructor(label: string) {
    this.#label = label;
  }

  /** More work is known of. */
  expect(count: number): void {
    this.#total += count;
    this.#draw();
  }

  /** One piece is done. */
  advance(): void {
    this.#done++;
    this.#draw();
  }

  /** Leaves the line empty. */
  clear(): void {
    if (process.stderr.isTTY) process.stderr.write("\r\u001b[K");
  }

  #draw(): void {
    if (!process.stderr.isTTY) return;
    const filled = this.#total === 0 ? 0 : Math.floor((this.#done / this.#total) * WIDTH);
    const bar = "█".repeat(filled) + "░".repeat(WIDTH - filled);
    process.stderr.write(`\r\u001b[K${this.#label} ${bar} ${this.#done}/${this.#total}`);
  }
}
