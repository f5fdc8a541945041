import type { Candidates } from "./cycle.ts";

/** How a filter judges candidates one by one. */
export interface Judgement {
  /** Why the endpoint in the slot has to go; undefined keeps it. */
  readonly faultOf: (slot: number) => string | undefined;
  /** Keeps everybody when nobody would be left. */
  readonly fallbackOnEmpty: boolean;
}

/** Rejects every candidate that has a fault. */
export function rejectFaulty(
  candidates: Candidates,
  judgement: Judgement,
  reject: (index: number, reason: string) => void,
): void {
  const { faultOf, fallbackOnEmpty } = judgement;
  if (fallbackOnEmpty) {
    let faultyCount = 0;
    while (
      faultyCount < candidates.count &&
      faultOf(candidates.slots[faultyCount] as number) !== undefined
    ) {
      faultyCount++;
    }
    if (faultyCount === candidates.count) return;
  }
  for (let i = 0; i < candidates.count; i++) {
    const fault = faultOf(candidates.slots[i] as number);
    if (fault !== undefined) reject(i, fault);
  }
}
