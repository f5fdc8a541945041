import { EPP_FLAGS } from "./epp-flag-table.ts";
import type { FlagSpec } from "./flag-spec.ts";
import { type GivenFlags, readFlags } from "./read-flags.ts";
import { flagOf, ROUTER_OPTION_HELP, type RouterOptions } from "./router-options.ts";

/** An endpoint picker's command line as it was understood. */
export interface EppFlags extends Pick<GivenFlags, "given" | "notes"> {
  /** Files of `--plugin`, which may be repeated. */
  readonly plugins: readonly string[];
  /** Limits of the router that were given by their own flags. */
  readonly limits: Partial<RouterOptions>;
}

/** Reads the flags of every release of llm-d's endpoint picker; throws as `readFlags` does. */
export function parseEppFlags(args: readonly string[]): EppFlags {
  const specs = [...EPP_FLAGS, ...LIMITS.map(({ spec }) => spec)];
  const { given, all, notes } = readFlags(args, { command: "epp", specs });
  const limits: Record<string, number> = {};
  for (const { option, spec } of LIMITS) {
    const value = given.get(spec.name);
    if (value !== undefined) limits[option] = Number(value);
  }
  return { given, plugins: all.get("plugin") ?? [], limits, notes };
}

/** Every limit of the router as a flag. */
const LIMITS: readonly { readonly option: string; readonly spec: FlagSpec }[] = Object.entries(
  ROUTER_OPTION_HELP,
).map(([option, help]) => ({
  option,
  spec: { name: flagOf(option).slice(2), kind: "number", help },
}));
