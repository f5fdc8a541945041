import { ConfigError, type ConfigFault } from "../core/config-error.ts";
import { isWholeAtoms } from "./id-prompt.ts";
import type { Scenario } from "./scenario.ts";

/** Throws ConfigError for what cannot be simulated. */
export function checkScenario({ services, settings }: Scenario): void {
  const faults: ConfigFault[] = [];
  for (const { name, engines } of services) {
    if (engines.length === 0) faults.push({ path: name, message: "has no engine" });
    const odd = engines.find(
      ({ config }) => config.isKvEventsEnabled && !isWholeAtoms(config.blockTokens),
    );
    if (odd !== undefined) {
      const message = "KV events are simulated for block sizes that are multiples of 16 tokens";
      faults.push({ path: `${name}: --block-size`, message });
    }
  }
  for (const name of ["overheadMs", "networkMs", "scrapeIntervalMs", "kvEventDelayMs"] as const) {
    if (Number.isFinite(settings[name]) && settings[name] >= 0) continue;
    faults.push({ path: name, message: "must be a number of milliseconds, 0 or more" });
  }
  if (faults.length > 0) throw new ConfigError(faults);
}
