import type { Finding } from "./rule.ts";
import { type Manifest, type PoolView, poolsOf, type Subject, splitPools } from "./subject.ts";

type Check<Arguments extends readonly unknown[]> = (...args: Arguments) => readonly Finding[];

/** A check of services; a bare configuration gives nothing. */
export function forManifest(check: Check<[Manifest, Subject]>): Check<[Subject]> {
  return (subject) => (subject.manifest === undefined ? [] : check(subject.manifest, subject));
}

/** A check of each pool. */
export function forPools(check: Check<[PoolView, Subject, Manifest]>): Check<[Subject]> {
  return forManifest((manifest, subject) =>
    poolsOf(manifest).flatMap((view) => check(view, subject, manifest)),
  );
}

/** A check of services that split prefill from decode. */
export function forSplit(
  check: Check<[{ readonly decode: PoolView; readonly prefill: PoolView }, Subject, Manifest]>,
): Check<[Subject]> {
  return (subject) => {
    const split = splitPools(subject);
    return split === undefined ? [] : check(split, subject, split.manifest);
  };
}
