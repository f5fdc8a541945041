import { durationMs } from "../core/duration.ts";
import {
  cipherSuites,
  type FlagAnswer,
  type FlagSpec,
  idle,
  idleIfOn,
  LOG_FLAGS,
  poolGroup,
  refused,
  refusedIfOn,
  tlsVersion,
} from "./flag-spec.ts";
import { isOn } from "./flag-values.ts";
import { LEGS_CHOICES } from "./legs-options.ts";

/** Legs of a request by the names that the TLS flags have for them. */
export const TLS_STAGES: readonly string[] = ["prefiller", "decoder", "encoder"];

const NO_ENCODER = "the encode stage is not run here";
const NO_MORIIO = "MoRI-IO is not spoken here";

/** Every flag of llm-d's sidecar from its first release to today, and this one's own. */
export const SIDECAR_FLAGS: readonly FlagSpec[] = [
  { name: "host", kind: "text", help: "address to listen on; all of them unless given" },
  { name: "port", kind: "port", help: "port to listen on (8000)" },
  { name: "model-server-port", kind: "port", help: "port of the engine on this host (8200)" },
  {
    name: "vllm-port",
    kind: "port",
    help: "older name of --model-server-port",
    aliasOf: "model-server-port",
  },
  {
    name: "data-parallel-size",
    kind: "number",
    help: "ranks of the engine, each behind a port of its own (1)",
    answer: rankCount,
  },
  {
    name: "kv-connector",
    kind: "text",
    help: `${LEGS_CHOICES.connectors.join(", ")} (nixlv2)`,
    answer: connector,
  },
  {
    name: "connector",
    kind: "text",
    help: "older name of --kv-connector",
    aliasOf: "kv-connector",
    answer: connector,
  },
  {
    name: "sglang-bootstrap-port",
    kind: "port",
    help: "of SGLang's prefill engines ($SGLANG_BOOTSTRAP_PORT, 8998)",
  },
  { name: "allow-prefill", kind: "list", help: "HOST[:PORT] of allowed prefill targets" },
  {
    name: "endpoints",
    kind: "text",
    help: "file of the pool's endpoints, followed: those for prefill are allowed",
  },
  {
    name: "enable-ssrf-protection",
    kind: "switch",
    help: "refuse prefill targets that are not allowed (true)",
  },
  {
    name: "inference-pool",
    kind: "text",
    help: "NAMESPACE/NAME of the InferencePool whose pods are allowed ($INFERENCE_POOL)",
  },
  {
    name: "inference-pool-namespace",
    kind: "text",
    help: "older form: its namespace ($INFERENCE_POOL_NAMESPACE, default)",
  },
  {
    name: "inference-pool-name",
    kind: "text",
    help: "older form: its name ($INFERENCE_POOL_NAME)",
  },
  {
    name: "pool-group",
    kind: "text",
    help: "API group of the pool that is tried first; the newer one unless given",
    answer: poolGroup,
  },
  {
    name: "enable-prefiller-sampling",
    kind: "switch",
    help: "draw the prefill target that is asked first ($ENABLE_PREFILLER_SAMPLING, false)",
  },
  {
    name: "prefill-max-retries",
    kind: "number",
    help: "attempts after the first, on 502, 503, 504 and lost connections (0)",
    answer: retryCount,
  },
  {
    name: "prefill-retry-backoff",
    kind: "duration",
    help: "between two attempts (200ms)",
    answer: atMostADay,
  },
  {
    name: "prefill-timeout",
    kind: "duration",
    help: "for one attempt (30s)",
    answer: atMostADay,
  },
  {
    name: "prefill-fallback",
    kind: "text",
    help: "decode or error, when no attempt succeeded (decode)",
    answer: fallback,
  },
  { name: "secure-serving", kind: "switch", help: "TLS for clients (true)" },
  {
    name: "secure-proxy",
    kind: "switch",
    help: "older name of --secure-serving",
    aliasOf: "secure-serving",
  },
  { name: "cert-path", kind: "text", help: "folder of tls.crt and tls.key; self-signed without" },
  {
    name: "tls-min-version",
    kind: "text",
    help: "VersionTLS12 or VersionTLS13",
    answer: tlsVersion,
  },
  {
    name: "tls-cipher-suites",
    kind: "list",
    help: "cipher suites of TLS 1.2, as Go names them; Node's own list unless given",
    answer: cipherSuites,
  },
  {
    name: "enable-tls",
    kind: "list",
    help: "legs that go by TLS: prefiller, decoder",
    answer: stages,
  },
  {
    name: "tls-insecure-skip-verify",
    kind: "list",
    help: "legs whose engine may show any certificate: prefiller, decoder",
    answer: stages,
  },
  ...["prefiller", "decoder"].flatMap((stage): FlagSpec[] => [
    {
      name: `${stage}-use-tls`,
      kind: "switch",
      help: `older form of --enable-tls=${stage}`,
    },
    {
      name: `${stage}-tls-insecure-skip-verify`,
      kind: "switch",
      help: `older form of --tls-insecure-skip-verify=${stage}`,
    },
  ]),
  { name: "metrics-port", kind: "port", help: "port of /metrics; 0 is none (0)" },
  {
    name: "metrics-cert-dir",
    kind: "text",
    help: "certificate of /metrics",
    answer: refused("/metrics is plain HTTP"),
  },
  {
    name: "drain-timeout",
    kind: "duration",
    help: "for requests under way after SIGTERM (30s)",
    answer: atMostADay,
  },
  { name: "configuration", kind: "text", help: "flags as YAML text" },
  { name: "configuration-file", kind: "text", help: "flags as a YAML file" },
  {
    name: "max-idle-conns-per-host",
    kind: "number",
    help: "idle connections kept",
    answer: idle("idle connections are closed after 4s, however many there are"),
  },
  { name: "ec-connector", kind: "text", help: "encode connector", answer: refused(NO_ENCODER) },
  {
    name: "decode-chunk-size",
    kind: "number",
    help: "tokens of one of several decode legs",
    answer: (value) =>
      Number(value) === 0
        ? undefined
        : { kind: "refused", why: "a decode leg is never cut in pieces here" },
  },
  {
    name: "mooncake-bootstrap-port",
    kind: "port",
    help: "of the mooncake connector",
    answer: idle("only the mooncake connector uses it"),
  },
  {
    name: "p2p-connector-port",
    kind: "port",
    help: "of the offloading connector",
    answer: idle("only the offloading connector uses it"),
  },
  {
    name: "enable-p2p-pull",
    kind: "switch",
    help: "fetch cached prefixes from peers",
    answer: refusedIfOn("prefixes are not fetched from peers here"),
  },
  {
    name: "enable-speculative-prefill",
    kind: "switch",
    help: "prefill of a turn to come",
    answer: refusedIfOn("only what was asked is computed here"),
  },
  {
    name: "tracing",
    kind: "switch",
    help: "OpenTelemetry",
    answer: idleIfOn("no traces are written"),
  },
  ...["moriio-write-mode", "moriio-parallel-dispatch"].map(
    (name): FlagSpec => ({
      name,
      kind: "switch",
      help: "MoRI-IO",
      answer: refusedIfOn(NO_MORIIO),
    }),
  ),
  ...[
    "moriio-decode-handshake-port",
    "moriio-decode-hosts",
    "moriio-decode-notify-port",
    "moriio-dp-size",
    "moriio-dp-size-local",
    "moriio-local-pod-ip",
    "moriio-parallel-decode-wait-timeout",
    "moriio-prefill-handshake-port",
    "moriio-prefill-notify-port",
    "moriio-remote-hosts",
    "moriio-tp-size",
  ].map((name): FlagSpec => ({ name, kind: "text", help: "MoRI-IO", answer: idle(NO_MORIIO) })),
  ...LOG_FLAGS,
];

function connector(value: string): FlagAnswer | undefined {
  const { connectors } = LEGS_CHOICES;
  return connectors.some((name) => name === value) ? undefined : notOneOf(connectors);
}

function fallback(value: string): FlagAnswer | undefined {
  const { fallbacks } = LEGS_CHOICES;
  return fallbacks.some((name) => name === value) ? undefined : notOneOf(fallbacks);
}

function stages(value: string): FlagAnswer | undefined {
  const named = value.split(",").filter((stage) => stage !== "");
  if (!named.every((stage) => TLS_STAGES.includes(stage))) return notOneOf(TLS_STAGES);
  return named.includes("encoder") ? { kind: "idle", why: NO_ENCODER } : undefined;
}

function rankCount(value: string): FlagAnswer | undefined {
  const count = Number(value);
  // Each is a listener; no host has more GPUs by far.
  return count >= 1 && count <= 256
    ? undefined
    : { kind: "refused", why: "must be a number from 1 to 256" };
}

function atMostADay(value: string): FlagAnswer | undefined {
  return (durationMs(value) ?? 0) <= 86_400_000
    ? undefined
    : { kind: "refused", why: "must be at most 24h" };
}

function retryCount(value: string): FlagAnswer | undefined {
  return Number(value) <= 100
    ? undefined
    : { kind: "refused", why: "must be a number from 0 to 100" };
}

function notOneOf(names: readonly string[]): FlagAnswer {
  return { kind: "refused", why: `must be one of ${names.join(", ")}` };
}

/** Environment variables that give a flag's value when neither command line nor configuration does. */
export const SIDECAR_VARIABLES: readonly { readonly name: string; readonly flag: string }[] = [
  { name: "INFERENCE_POOL", flag: "inference-pool" },
  { name: "INFERENCE_POOL_NAMESPACE", flag: "inference-pool-namespace" },
  { name: "INFERENCE_POOL_NAME", flag: "inference-pool-name" },
  { name: "ENABLE_PREFILLER_SAMPLING", flag: "enable-prefiller-sampling" },
  { name: "SGLANG_BOOTSTRAP_PORT", flag: "sglang-bootstrap-port" },
];

/** Whether a leg is named in a list of legs, or by the switch that is the list's older form. */
export function isStageOn(
  given: ReadonlyMap<string, string>,
  stage: "prefiller" | "decoder",
  flags: { readonly list: string; readonly older: string },
): boolean {
  const stagesGiven = (given.get(flags.list) ?? "").split(",");
  return stagesGiven.includes(stage) || isOn(given.get(`${stage}-${flags.older}`), false);
}
