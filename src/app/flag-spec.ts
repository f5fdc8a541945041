import { POOL_GROUPS } from "../discovery/inference-pool.ts";
import { cipherSuitesFault } from "./cipher-suites.ts";
import { isOn } from "./flag-values.ts";

/** What becomes of a flag that is not simply used. */
export type FlagAnswer =
  /** Accepted, and nothing here depends on it. */
  | { readonly kind: "idle"; readonly why: string }
  /** It asks for a behaviour that is not there. */
  | { readonly kind: "refused"; readonly why: string };

/** One flag of a program that takes the place of one of llm-d's. */
export interface FlagSpec {
  /** Kebab-case, without dashes. */
  readonly name: string;
  readonly kind: "switch" | "port" | "number" | "duration" | "quantity" | "text" | "list";
  readonly help: string;
  /** The flag whose value this one gives: an older name. */
  readonly aliasOf?: string;
  /** Undefined where the value is used. */
  readonly answer?: (value: string) => FlagAnswer | undefined;
}

/** Any value is accepted without effect. */
export const idle = (why: string) => (): FlagAnswer => ({ kind: "idle", why });

/** Any value but the empty one asks for what is not there. */
export const refused =
  (why: string) =>
  (value: string): FlagAnswer | undefined =>
    value === "" ? undefined : { kind: "refused", why };

/** A switch that asks for what is not there. */
export const refusedIfOn =
  (why: string) =>
  (value: string): FlagAnswer | undefined =>
    isOn(value, false) ? { kind: "refused", why } : undefined;

/** A switch without effect. */
export const idleIfOn =
  (why: string) =>
  (value: string): FlagAnswer | undefined =>
    isOn(value, false) ? { kind: "idle", why } : undefined;

/** Lowest version of TLS, in Go's words. */
export function tlsVersion(value: string): FlagAnswer | undefined {
  return value === "" || /^VersionTLS1[23]$/.test(value)
    ? undefined
    : { kind: "refused", why: "must be VersionTLS12 or VersionTLS13; older ones are not spoken" };
}

/** Suites of TLS 1.2 by their names in Go. */
export function cipherSuites(value: string): FlagAnswer | undefined {
  const why = cipherSuitesFault(value);
  return why === undefined ? undefined : { kind: "refused", why };
}

/** API group of an InferencePool. */
export function poolGroup(value: string): FlagAnswer | undefined {
  return POOL_GROUPS.some((group) => group === value)
    ? undefined
    : { kind: "refused", why: `must be ${POOL_GROUPS.join(" or ")}` };
}

const LOG_LINES = "the log is JSON lines at level info";

/** Flags of Go's loggers. */
export const LOG_FLAGS: readonly FlagSpec[] = [
  { name: "v", kind: "number", help: "verbosity", answer: verbosity },
  { name: "zap-encoder", kind: "text", help: "json or console", answer: encoder },
  ...["zap-devel", "zap-log-level", "zap-stacktrace-level", "zap-time-encoding"].map(
    (name): FlagSpec => ({
      name,
      kind: name === "zap-devel" ? "switch" : "text",
      help: "of Go's logger",
      answer: idle(LOG_LINES),
    }),
  ),
];

function verbosity(value: string): FlagAnswer | undefined {
  // llm-d: DEFAULT is 2; what is said above it is the decision, which the admin API shows.
  return Number(value) > 2
    ? { kind: "idle", why: `${LOG_LINES}; /api/decisions shows each decision in full` }
    : undefined;
}

function encoder(value: string): FlagAnswer | undefined {
  return value === "json" ? undefined : { kind: "idle", why: LOG_LINES };
}
