import type { Meter } from "../../src/core/meter.ts";

/** Medians of what the core's own instrument times, one call in 61. */
export class PartTimes implements Meter {
  readonly #timesUs = new Map<string, number[]>();

  count(): void {}

  observe(name: string, labels: Readonly<Record<string, string>>, ms: number): void {
    if (name !== "plugin-ms") return;
    const part = `${labels["extension_point"]} ${labels["plugin_type"]}`;
    const times = this.#timesUs.get(part) ?? [];
    times.push(1000 * ms);
    this.#timesUs.set(part, times);
  }

  clear(): void {
    this.#timesUs.clear();
  }

  /** The handler's time holds those of scorers and picker; the rest is trace, charge and plan. */
  print(wholeUs: Float64Array): void {
    let outsideUs = median(wholeUs);
    for (const [part, timesUs] of this.#timesUs) {
      const us = median(Float64Array.from(timesUs));
      console.log(`  ${part}: p50 ${us.toFixed(2)} us`);
      if (!/^(score|pick) /.test(part)) outsideUs -= us;
    }
    console.log(`  trace, charge and plan: p50 ${outsideUs.toFixed(2)} us`);
  }
}

function median(values: Float64Array): number {
  return values.toSorted()[values.length >>> 1] ?? Number.NaN;
}
