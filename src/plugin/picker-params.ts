import { z } from "zod";
import { paramsOf } from "./params.ts";

/** Parameters that every picker takes. */
export interface PickerParams {
  /** Endpoints that `epp` advertises; 0 and less mean 1, as in llm-d. */
  readonly maxNumOfEndpoints: number;
}

/** Decodes a picker's parameters. */
export const pickerParams: (raw: unknown) => PickerParams = paramsOf(
  z.strictObject({ maxNumOfEndpoints: z.int().default(1) }),
);

/** How many of `count` ordered endpoints are advertised. */
export function advertisedCount(maxNumOfEndpoints: number, count: number): number {
  return Math.min(count, Math.max(1, maxNumOfEndpoints));
}
