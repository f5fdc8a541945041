import type { Rng } from "../../core/rng.ts";

/** How requests come without regard to answers. */
export const ARRIVAL_KINDS = ["poisson", "constant", "burst"] as const;
export type ArrivalKind = (typeof ARRIVAL_KINDS)[number];

/** Seconds between two bursts; a load generator that keeps a rate with as many workers fires so. */
const BURST_SECONDS = 1;

/** Endless arrival times in microseconds from 0, `perSecond` of them a second on average. */
export function* arrivalTimes(kind: ArrivalKind, perSecond: number, rng: Rng): Generator<number> {
  let atUs = 0;
  for (let index = 0; ; index++) {
    switch (kind) {
      case "poisson":
        atUs += (-Math.log(1 - rng.next()) / perSecond) * 1e6;
        break;
      case "constant":
        atUs = (index / perSecond) * 1e6;
        break;
      case "burst":
        atUs = Math.floor(index / (perSecond * BURST_SECONDS)) * BURST_SECONDS * 1e6;
        break;
    }
    yield atUs;
  }
}
