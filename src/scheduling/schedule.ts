import type { ProfileName } from "../core/brand.ts";
import { invariant } from "../core/invariant.ts";
import type { Cycle, HandlerCycle, ProfileOutcome } from "../plugin/cycle.ts";
import type { BoundPlugin, Instrument } from "../plugin/instrument.ts";
import type { HandlerResult } from "../plugin/plugin-instance.ts";
import { ProfileRun } from "./profile-run.ts";
import type { ProfileRunner } from "./run-profile.ts";
import type { SchedulingProfile } from "./scheduling-profile.ts";

/** What scheduling one request gave: the runs in their order, and what the handler made of them. */
export interface ScheduleResult {
  readonly runs: readonly ProfileRun[];
  readonly result: HandlerResult;
}

/** A cycle that the scheduler moves from profile to profile. */
export interface SchedulableCycle extends Cycle, HandlerCycle {
  profile: ProfileName;
  /** `outcome` reads it. */
  readonly outcomes: Map<ProfileName, ProfileOutcome | undefined>;
  /** Called when scheduling begins. */
  clearOutcomes(): void;
}

/** The scheduler of one pool: asks the handler for profiles and runs them until it wants no more. */
export class Scheduler {
  readonly #handler: BoundPlugin;
  readonly #runs: ReadonlyMap<ProfileName, ProfileRun>;
  /** In the configuration's order. */
  readonly profiles: readonly ProfileName[];
  readonly #runner: ProfileRunner;
  readonly #instrument: Instrument;

  constructor(options: {
    handler: BoundPlugin;
    profiles: readonly SchedulingProfile[];
    runner: ProfileRunner;
    instrument: Instrument;
  }) {
    invariant(options.handler.instance.handler !== undefined, "the handler has no handler role");
    this.#handler = options.handler;
    this.profiles = options.profiles.map((profile) => profile.name);
    this.#runs = new Map(
      options.profiles.map((profile) => [profile.name, new ProfileRun(profile)]),
    );
    this.#runner = options.runner;
    this.#instrument = options.instrument;
  }

  /** Schedules over the candidate slots; the result is valid until the next call. */
  schedule(cycle: SchedulableCycle, slots: Int32Array, count: number): ScheduleResult {
    const runs: ProfileRun[] = [];
    cycle.clearOutcomes();
    const handled = this.#instrument.call(this.#handler, "handler", () => {
      const { handler } = this.#handler.instance;
      invariant(handler !== undefined, "the handler lost its role");
      for (;;) {
        const asked = handler.pick(cycle);
        if (asked.length === 0) return handler.result(cycle);
        for (const profile of asked) {
          invariant(
            cycle.outcomes.get(profile) === undefined,
            `${this.#handler.name} asks twice for ${profile}`,
          );
          const run = this.#runs.get(profile);
          invariant(run !== undefined, `${this.#handler.name} asks for unknown profile ${profile}`);
          cycle.profile = profile;
          cycle.outcomes.set(profile, this.#runner.run(run, cycle, slots, count));
          runs.push(run);
        }
      }
    });
    const message = `plugin ${this.#handler.name} failed`;
    const failed: HandlerResult = {
      kind: "rejected",
      rejection: { reason: "plugin-failed", message },
    };
    return { runs, result: handled.ok ? handled.value : failed };
  }
}
