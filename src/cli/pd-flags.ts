import { type Command, Option } from "commander";
import { LEGS_CHOICES, type LegsOptions, legsSettings } from "../app/legs-options.ts";
import { oneOf, wholeNumber } from "./option-values.ts";
import { UsageError } from "./usage-error.ts";

/** Options of running prefill and decode as two requests. */
export interface PdFlags {
  readonly pd: "sidecar" | "router";
  readonly prefillCandidates?: number;
  readonly kvConnector?: NonNullable<LegsOptions["connector"]>;
  readonly prefillFallback?: NonNullable<LegsOptions["fallback"]>;
  readonly prefillTimeoutMs?: number;
}

// llm-d's sidecar takes one; setTimeout takes no more than 2^31 - 1.
const CANDIDATES = { sidecar: 1, router: 2 } as const;
const LONGEST_TIMEOUT_MS = 2_147_483_647;

/** Adds them. */
export function addPdFlags(command: Command): Command {
  const group = "Prefill and decode:";
  const { connectors, fallbacks } = LEGS_CHOICES;
  const options = [
    new Option("--pd <who>", "who runs both legs of a split request: sidecar or router")
      .argParser(oneOf(["sidecar", "router"]))
      .default("sidecar"),
    new Option(
      "--prefill-candidates <n>",
      "prefill endpoints that may be tried (1 with sidecars, 2 by the router)",
    ).argParser(wholeNumber(1, 16)),
    new Option(
      "--kv-connector <name>",
      `with --pd router: ${connectors.join(", ")} (nixlv2)`,
    ).argParser(oneOf(connectors)),
    new Option(
      "--prefill-fallback <what>",
      "with --pd router, when no prefill endpoint answers: decode or error (decode)",
    ).argParser(oneOf(fallbacks)),
    new Option(
      "--prefill-timeout-ms <n>",
      "with --pd router: for one prefill endpoint (30000)",
    ).argParser(wholeNumber(1, LONGEST_TIMEOUT_MS)),
  ];
  for (const option of options) command.addOption(option.helpGroup(group));
  return command;
}

/** What the options say; throws UsageError for one that is the sidecars' own to set. */
export function pdSettings(flags: PdFlags): {
  readonly prefillCandidates: number;
  readonly legs: ReturnType<typeof legsSettings> | undefined;
  /** What `legs` is made from. */
  readonly legsOptions: LegsOptions | undefined;
} {
  const { pd, kvConnector, prefillFallback, prefillTimeoutMs } = flags;
  const prefillCandidates = flags.prefillCandidates ?? CANDIDATES[pd];
  if (pd === "router") {
    const options = { connector: kvConnector, fallback: prefillFallback, prefillTimeoutMs };
    return { prefillCandidates, legs: legsSettings(options), legsOptions: options };
  }
  const misplaced = Object.entries({
    "--kv-connector": kvConnector,
    "--prefill-fallback": prefillFallback,
    "--prefill-timeout-ms": prefillTimeoutMs,
  }).find(([, value]) => value !== undefined);
  if (misplaced !== undefined) {
    throw new UsageError(
      `${misplaced[0]} is for --pd router; a sidecar has a flag of its own for it`,
    );
  }
  return { prefillCandidates, legs: undefined, legsOptions: undefined };
}
