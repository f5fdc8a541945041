import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import type { Meter } from "../core/meter.ts";
import type { PluginInstance } from "./plugin-instance.ts";

/** A configured instance with the names that metrics and decisions show. */
export interface BoundPlugin {
  readonly name: string;
  readonly type: string;
  readonly instance: PluginInstance;
}

/** Where plugin code is called from: the method that is called. */
export type ExtensionPoint = Exclude<keyof PluginInstance, "dumpState" | "saveState" | "loadState">;

/** What a guarded call gave, or that the plugin threw. */
export type Guarded<T> = { readonly ok: true; readonly value: T } | { readonly ok: false };

const FAILED = { ok: false } as const;
/** Most calls give nothing, and need no object to say so. */
const DONE: Guarded<undefined> = { ok: true, value: undefined };

/**
 * One call in 61 is timed: reading a clock costs as much as a short scorer. A prime, because a count
 * that a decision's calls divide would time the same plugin each time.
 */
const TIMED_ONE_IN = 61;

/** A plugin that throws at each request must not flood the log: one line for this many failures. */
const LOGGED_ONE_IN = 100;

/** Runs plugin code: the only place that decides what a throw means and that times plugins. */
export class Instrument {
  readonly #meter: Meter;
  readonly #log: Log;
  readonly #stopwatch: Clock | undefined;
  #callCount = 0;
  readonly #failureCounts = new Map<string, number>();

  /** Without a stopwatch nothing is timed, as in virtual time. */
  constructor(ports: { meter: Meter; log: Log; stopwatch: Clock | undefined }) {
    this.#meter = ports.meter;
    this.#log = ports.log;
    this.#stopwatch = ports.stopwatch;
  }

  /** Calls plugin code; a throw is counted, logged and reported as not ok. */
  call<T>(
    plugin: BoundPlugin,
    point: ExtensionPoint,
    run: (instance: PluginInstance) => T,
  ): Guarded<T> {
    const isTimed = this.#stopwatch !== undefined && this.#callCount++ % TIMED_ONE_IN === 0;
    const startMs = isTimed ? this.#stopwatch.nowMs() : 0;
    try {
      const value = run(plugin.instance);
      if (isTimed) {
        const labels = labelsOf(plugin, point);
        this.#meter.observe("plugin-ms", labels, this.#stopwatch.nowMs() - startMs);
      }
      return value === undefined ? (DONE as Guarded<T>) : { ok: true, value };
    } catch (error) {
      this.#failed(plugin, point, error);
      return FAILED;
    }
  }

  #failed(plugin: BoundPlugin, point: ExtensionPoint, error: unknown): void {
    this.#meter.count("plugin-failures", labelsOf(plugin, point));
    const count = this.#failureCounts.get(plugin.name) ?? 0;
    this.#failureCounts.set(plugin.name, count + 1);
    if (count % LOGGED_ONE_IN !== 0) return;
    this.#log.error("plugin-failed", {
      plugin: plugin.name,
      point,
      failures: count + 1,
      error: error instanceof Error ? error.message : String(error),
    });
  }
}

function labelsOf(plugin: BoundPlugin, point: ExtensionPoint): Record<string, string> {
  return { extension_point: point, plugin_type: plugin.type, plugin_name: plugin.name };
}
