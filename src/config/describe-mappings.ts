import { describeMapping } from "./mapping-table.ts";
import type { RouterConfig } from "./router-config.ts";

/** Older forms that a loaded configuration uses, one line each, in the order of the file. */
export function describeMappings(config: RouterConfig): readonly string[] {
  return [...new Set(config.mappings.map(({ mapping }) => describeMapping(mapping)))];
}
