import type { SourcePosition } from "../core/config-error.ts";
import type { Finding, Severity } from "./rule.ts";
import { type PickerPlatform, type ServingPlatform, TARGETS, type Target } from "./targets.ts";

/** Something that some platforms do not stand. */
export interface TargetFault {
  readonly message: string;
  readonly position: SourcePosition | undefined;
  /** On the chosen target; the rule's own unless set. */
  readonly severity?: Severity;
  fails(target: Target): boolean;
}

/** A finding where the chosen target fails, else a note that names the targets which would. */
export function onTargets(chosen: Target, fault: TargetFault): readonly Finding[] {
  const { message, position, severity } = fault;
  if (fault.fails(chosen)) {
    return [{ message, position, ...(severity === undefined ? {} : { severity }) }];
  }
  const failing = TARGETS.filter((target) => fault.fails(target)).map(({ name }) => name);
  if (failing.length === 0) return [];
  return [{ message: `on ${failing.join(", ")}: ${message}`, position, severity: "note" }];
}

/** Targets whose picker fails. */
export function pickerFails(test: (picker: PickerPlatform) => boolean): TargetFault["fails"] {
  return ({ picker }) => picker !== undefined && test(picker);
}

/** Targets whose presets fail. */
export function servingFails(test: (serving: ServingPlatform) => boolean): TargetFault["fails"] {
  return ({ serving }) => serving !== undefined && test(serving);
}
