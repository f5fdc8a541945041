import process from "node:process";

/** Columns of the bar itself. */
const WIDTH = 30;

/** A bar on the error stream of a terminal; elsewhere one line says how much work begins. */
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
    if (process.stderr.isTTY) this.#draw();
    else process.stderr.write(`${this.#label}: ${count} runs\n`);
  }

  /** One piece is done. */
  advance(): void {
    this.#done++;
    if (process.stderr.isTTY) this.#draw();
  }

  /** Leaves the line empty. */
  clear(): void {
    if (process.stderr.isTTY) process.stderr.write("\r\u001b[K");
  }

  #draw(): void {
    const filled = this.#total === 0 ? 0 : Math.floor((this.#done / this.#total) * WIDTH);
    const bar = "█".repeat(filled) + "░".repeat(WIDTH - filled);
    process.stderr.write(`\r\u001b[K${this.#label} ${bar} ${this.#done}/${this.#total}`);
  }
}
