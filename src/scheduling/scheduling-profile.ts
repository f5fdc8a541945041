import type { ProfileName } from "../core/brand.ts";
import type { BoundPlugin } from "../plugin/instrument.ts";

/** A scorer with its weight in a profile. */
export interface WeightedScorer {
  readonly plugin: BoundPlugin;
  readonly weight: number;
}

/** A profile ready to run: filters in the file's order, scorers, one picker. */
export interface SchedulingProfile {
  readonly name: ProfileName;
  readonly filters: readonly BoundPlugin[];
  readonly scorers: readonly WeightedScorer[];
  readonly picker: BoundPlugin;
}
