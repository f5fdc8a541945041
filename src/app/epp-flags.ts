import { ConfigError, type ConfigFault } from "../core/config-error.ts";
import { EPP_FLAGS, type EppFlagSpec } from "./epp-flag-table.ts";
import { durationMs, quantityBytes } from "./epp-flag-values.ts";
import { flagOf, ROUTER_OPTION_HELP, type RouterOptions } from "./router-options.ts";

/** An endpoint picker's command line as it was understood. */
export interface EppFlags {
  /** What was given, by kebab-case name; the last value of a flag that is repeated. */
  readonly given: ReadonlyMap<string, string>;
  /** Files of `--plugin`, which may be repeated. */
  readonly plugins: readonly string[];
  /** Limits of the router that were given by their own flags. */
  readonly limits: Partial<RouterOptions>;
  /** Flags that are accepted and do nothing here, each with the reason. */
  readonly notes: readonly string[];
}

/**
 * Reads the flags of every release of llm-d's endpoint picker: kebab-case and camelCase, one dash or two,
 * `--flag=value` and `--flag value`; a switch takes its value with `=` only. Throws ConfigError with
 * every flag that is unknown, malformed, or asks for what cannot be given here.
 */
export function parseEppFlags(args: readonly string[]): EppFlags {
  const given = new Map<string, string>();
  const plugins: string[] = [];
  const limits: Record<string, number> = {};
  const faults: ConfigFault[] = [];
  const notes: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const word = args[i] as string;
    const [, written, joined] = FLAG.exec(word) ?? [];
    if (written === undefined) {
      faults.push({ path: "", message: `${shown(word)} is no flag` });
      continue;
    }
    const name = kebabName(written);
    const spec = SPECS.get(name);
    const limit = LIMITS.get(name);
    const path = `--${written}`;
    if (spec === undefined && limit === undefined) {
      faults.push({ path, message: "unknown flag; `switchyard epp --help` lists them" });
      // What follows is taken for its value, so that one mistake is told once.
      if (joined === undefined && args[i + 1]?.startsWith("-") === false) i++;
      continue;
    }
    const isSwitch = spec?.kind === "switch";
    const value = joined ?? (isSwitch ? "true" : args[++i]);
    const message = value === undefined ? "needs a value" : faultOf(spec?.kind ?? "number", value);
    if (message !== undefined || value === undefined) {
      faults.push({ path, message: message ?? "" });
    } else if (limit !== undefined) {
      limits[limit] = Number(value);
    } else if (spec !== undefined) {
      given.set(name, value);
      if (name === "plugin") plugins.push(value);
      const answer = spec.answer?.(value);
      if (answer?.kind === "refused") faults.push({ path, message: answer.why });
      if (answer?.kind === "idle") notes.push(`${path}: ${answer.why}`);
    }
  }
  if (faults.length > 0) throw new ConfigError(faults);
  return { given, plugins, limits, notes };
}

/** `poolName`, `pool-name` and `PoolName` as `pool-name`. */
function kebabName(name: string): string {
  const first = name.charAt(0).toLowerCase() + name.slice(1);
  return first.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

// A value may be a whole configuration, with lines.
const FLAG = /^--?([A-Za-z][\w-]*)(?:=([\s\S]*))?$/;

const SPECS: ReadonlyMap<string, EppFlagSpec> = new Map(
  EPP_FLAGS.map((spec) => [spec.name, spec] as const),
);

/** Every limit of the router by its flag, without dashes. */
const LIMITS: ReadonlyMap<string, string> = new Map(
  Object.keys(ROUTER_OPTION_HELP).map((option) => [flagOf(option).slice(2), option] as const),
);

function faultOf(kind: EppFlagSpec["kind"], value: string): string | undefined {
  switch (kind) {
    case "switch":
      return /^(true|false|1|0|t|f)$/i.test(value) ? undefined : "must be true or false";
    case "port":
      return /^\d{1,5}$/.test(value) && Number(value) <= 65535
        ? undefined
        : "must be a port, 0 to 65535";
    case "number":
      return /^\d{1,15}$/.test(value) ? undefined : "must be a whole number";
    case "duration":
      return durationMs(value) === undefined
        ? "must be a duration such as 50ms or 1m30s"
        : undefined;
    case "quantity":
      return quantityBytes(value) === undefined ? "must be a size such as 4Mi" : undefined;
    case "text":
      return undefined;
  }
}

function shown(word: string): string {
  return word.length > 40 ? `${JSON.stringify(word.slice(0, 40))}…` : JSON.stringify(word);
}
