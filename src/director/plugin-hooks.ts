import type { Rejection } from "../core/rejection.ts";
import type { RequestCycle } from "../plugin/cycle.ts";
import type { BoundPlugin, Instrument } from "../plugin/instrument.ts";
import type { PluginInstance } from "../plugin/plugin-instance.ts";

const HOOKS = [
  "prepare",
  "onRequest",
  "produce",
  "admit",
  "onPlan",
  "onRetry",
  "onResponseHead",
  "onFirstByte",
  "onEnd",
  "onEndpoint",
] as const;
type Hook = (typeof HOOKS)[number];

/** A pool's plugins by the hooks they have, in the configuration's order. */
export class PluginHooks {
  readonly #instrument: Instrument;
  readonly #byHook: ReadonlyMap<Hook, readonly BoundPlugin[]>;

  constructor(plugins: readonly BoundPlugin[], instrument: Instrument) {
    this.#instrument = instrument;
    this.#byHook = new Map(
      HOOKS.map((hook) => [hook, plugins.filter((plugin) => plugin.instance[hook] !== undefined)]),
    );
  }

  /** Whether any plugin has the hook. */
  has(hook: Hook): boolean {
    return (this.#byHook.get(hook)?.length ?? 0) > 0;
  }

  /** Calls every plugin that has the hook; one that throws is counted and the others still run. */
  run(hook: Exclude<Hook, "admit">, call: (instance: PluginInstance) => void): void {
    for (const plugin of this.#byHook.get(hook) ?? []) {
      this.#instrument.call(plugin, hook, call);
    }
  }

  /** The first refusal. A plugin that throws here refuses: one that cannot decide must not let all in. */
  admit(cycle: RequestCycle): Rejection | undefined {
    for (const plugin of this.#byHook.get("admit") ?? []) {
      const answer = this.#instrument.call(plugin, "admit", (instance) => instance.admit?.(cycle));
      if (!answer.ok) return { reason: "plugin-failed", message: `plugin ${plugin.name} failed` };
      if (answer.value !== undefined) return answer.value;
    }
    return undefined;
  }
}
