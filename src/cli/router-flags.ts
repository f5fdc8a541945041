import { type Command, Option } from "commander";
import {
  DEFAULT_ROUTER_OPTIONS,
  flagOf,
  ROUTER_OPTION_HELP,
  type RouterOptions,
} from "../app/router-options.ts";
import { oneOf, wholeNumber } from "./option-values.ts";
import { addPluginFlags, type PluginFlags } from "./plugin-flags.ts";

/** Options that `up` and `serve` share. */
export interface RouterFlags extends RouterOptions, PluginFlags {
  readonly host: string;
  readonly port: number;
  readonly adminHost: string;
  readonly adminPort: number;
  readonly seed: number;
  readonly metricsCorrection: "on" | "off";
  readonly record?: string;
}

const NAMES = Object.keys(ROUTER_OPTION_HELP) as (keyof RouterOptions)[];
const LIMIT_MAX = Number.MAX_SAFE_INTEGER;

/** Adds the shared options; every limit of the router is one of them. */
export function addRouterFlags(command: Command): Command {
  command
    .option("--host <address>", "address to listen on", "127.0.0.1")
    .option("--port <n>", "port for clients, 0 for any free one", wholeNumber(0, 65535), 8080)
    .option("--admin-host <address>", "address of the admin API", "127.0.0.1")
    .option("--admin-port <n>", "port of the admin API", wholeNumber(0, 65535), 9090)
    .option("--seed <n>", "seed of every draw", wholeNumber(0, 2 ** 32 - 1), 1)
    .option(
      "--metrics-correction <on|off>",
      "add what was sent since the last scrape to the engines' figures",
      oneOf(["on", "off"]),
      "on",
    )
    .option("--record <file>", "write every input of scheduling to a new file, for replay");
  addPluginFlags(command);
  for (const name of NAMES) {
    command.addOption(
      new Option(`${flagOf(name)} <n>`, ROUTER_OPTION_HELP[name])
        .argParser(wholeNumber(0, LIMIT_MAX))
        .default(DEFAULT_ROUTER_OPTIONS[name])
        .helpGroup("Limits (times in ms):"),
    );
  }
  return command;
}

/** Just the limits out of all options. */
export function routerOptionsOf(flags: RouterFlags): RouterOptions {
  // Commander gives each of NAMES its default, so the result has them all.
  return Object.fromEntries(NAMES.map((name) => [name, flags[name]])) as unknown as RouterOptions;
}
