import { hasThreshold } from "./arm.ts";
import type { SideName } from "./cell.ts";
import { weightedChoice } from "./describe-service.ts";
import { gpusOf, isSplit, type Pair, type Side, totalGpus } from "./side.ts";

/** A single pool against a split: who is who, and what the split could be instead. */
export interface Contestants {
  readonly single: SideName;
  readonly split: SideName;
  /** Other numbers of engines on as many GPUs. */
  readonly ratios: readonly { readonly main: number; readonly prefill: number }[];
  readonly hasThreshold: boolean;
  /** Whether the two choose among endpoints of a role in different ways. */
  readonly isChoiceDifferent: boolean;
}

/** Finds the contestants; undefined when both or neither split. */
export function contestantsOf({ left, right }: Pair): Contestants | undefined {
  if (isSplit(left.service) === isSplit(right.service)) return undefined;
  const split = isSplit(left.service) ? "left" : "right";
  const { service } = split === "left" ? left : right;
  return {
    single: split === "left" ? "right" : "left",
    split,
    ratios: ratiosOf(service),
    hasThreshold: hasThreshold(service),
    isChoiceDifferent: weightedChoice(left.service) !== weightedChoice(right.service),
  };
}

/** Every sharing of the GPUs that whole engines allow, at most one more and one less towards prefill. */
function ratiosOf(service: Side["service"]): Contestants["ratios"] {
  const { main, prefill } = service;
  if (prefill === undefined) return [];
  const total = totalGpus(service);
  const all: { main: number; prefill: number }[] = [];
  for (let count = 1; count * gpusOf(prefill) < total; count++) {
    const left = total - count * gpusOf(prefill);
    if (left % gpusOf(main) === 0) all.push({ main: left / gpusOf(main), prefill: count });
  }
  const own = all.findIndex((one) => one.prefill === prefill.replicas);
  return [all[own - 1], all[own + 1]].filter((one) => one !== undefined);
}
