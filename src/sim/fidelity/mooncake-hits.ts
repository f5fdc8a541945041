import { mooncakeLines } from "../workload/mooncake-trace.ts";
import { BlockLru } from "./block-lru.ts";
import type { FindingGroup } from "./finding.ts";

/** Share of the trace's blocks found in one LRU cache of so many blocks. */
const HIT_RATIOS: readonly (readonly [blocks: number, ratio: number])[] = [
  [1000, 0.045],
  [5000, 0.11],
  [10_000, 0.211],
  [20_000, 0.288],
  [50_000, 0.355],
  [100_000, 0.364],
  [1_000_000, 0.3664],
];

/** Scans the trace in its order: prefixes are looked up, then every block of the prompt is touched. */
export async function mooncakeHits(lines: AsyncIterable<string>): Promise<FindingGroup> {
  const caches = HIT_RATIOS.map(([blocks]) => ({ lru: new BlockLru(blocks), hits: 0 }));
  let total = 0;
  for await (const { hashIds } of mooncakeLines({ file: "the trace", lines })) {
    total += hashIds.length;
    for (const cache of caches) {
      const miss = hashIds.findIndex((id) => !cache.lru.has(id, 0));
      cache.hits += miss === -1 ? hashIds.length : miss;
      for (const id of hashIds) cache.lru.touch(id, 0);
    }
  }
  return {
    title: "Prefix hits in the Mooncake conversation trace",
    source: "Mooncake FAST'25 conversation trace, 12,031 requests, blocks of 512 tokens",
    fittedHere: "",
    findings: HIT_RATIOS.map(([blocks, ratio], index) => ({
      quantity: `LRU of ${blocks} blocks`,
      unit: "%",
      published: 100 * ratio,
      simulated: (100 * (caches[index]?.hits ?? 0)) / Math.max(1, total),
      // The targets are rounded to a tenth of a percent.
      band: 0.0006 / ratio,
    })),
    remarks: [],
  };
}
