import { invariant } from "../core/invariant.ts";
import type { RequestCycle } from "./cycle.ts";
import type { PluginHandle } from "./define-plugin.ts";

/** Whether a stage is split off, given the decode endpoint where one is chosen already. */
export type Decide = (cycle: RequestCycle, decodeSlot: number | undefined) => boolean;

/**
 * The decider of that name; it is looked up when asked, because it may be made after the asking
 * handler.
 */
export function namedDecider(handle: PluginHandle, name: string): Decide {
  return (cycle, decodeSlot) => {
    const decider = handle.find(name);
    invariant(decider?.decide !== undefined, `${handle.name} asks ${name}, which is no decider`);
    return decider.decide(cycle, decodeSlot);
  };
}
