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

/** A metric's name can be said again, but not be another: the names of all vLLM releases are known. */
const metricName =
  (...known: readonly string[]) =>
  (value: string): FlagAnswer | undefined =>
    value === "" || known.includes(value)
      ? undefined
      : { kind: "refused", why: `only ${known.join(" and ")} is read` };

/** Every flag of llm-d's endpoint picker from GIE 0.5 to today, and this one's own. */
export const EPP_FLAGS: readonly FlagSpec[] = [
  { name: "endpoints", kind: "text", help: "file of endpoints, followed; no cluster is asked" },
  {
    name: "model",
    kind: "text",
    help: "model that the engines serve; they are asked unless given",
  },
  { name: "host", kind: "text", help: "address to listen on; all of them unless given" },
  { name: "prefill-candidates", kind: "number", help: "prefill endpoints named to a sidecar (1)" },
  { name: "kv-events-port", kind: "port", help: "port of the engines' KV events (ZMQ)" },
  {
    name: "kv-events-replay-port",
    kind: "port",
    help: "port at which missed KV events are asked for",
  },
  { name: "kv-events-topic", kind: "text", help: "topics of the KV events; all unless given" },
  { name: "plugin", kind: "text", help: "file with a plugin of your own" },
  { name: "config-file", kind: "text", help: "EndpointPickerConfig; it is watched for changes" },
  { name: "config-text", kind: "text", help: "EndpointPickerConfig as text" },
  { name: "pool-name", kind: "text", help: "InferencePool whose pods are followed" },
  { name: "pool-namespace", kind: "text", help: "its namespace ($NAMESPACE, else default)" },
  {
    name: "pool-group",
    kind: "text",
    help: "API group of the pool that is tried first; the newer one unless given",
    answer: poolGroup,
  },
  {
    name: "endpoint-selector",
    kind: "text",
    help: "labels of the pods to follow, in the place of a pool",
  },
  {
    name: "endpoint-target-ports",
    kind: "list",
    help: "their ports, 1 to 8",
  },
  { name: "grpc-port", kind: "port", help: "port of ext_proc (9002)" },
  { name: "grpc-health-port", kind: "port", help: "port of gRPC health (9003)" },
  { name: "metrics-port", kind: "port", help: "port of /metrics and the admin API (9090)" },
  { name: "secure-serving", kind: "switch", help: "TLS on the ext_proc port (true)" },
  { name: "cert-path", kind: "text", help: "folder of tls.crt and tls.key; self-signed without" },
  { name: "enable-cert-reload", kind: "switch", help: "take up changed certificates (false)" },
  {
    name: "tls-min-version",
    kind: "text",
    help: "VersionTLS12 or VersionTLS13",
    answer: tlsVersion,
  },
  {
    name: "tls-cipher-suites",
    kind: "text",
    help: "cipher suites of TLS 1.2, as Go names them; Node's own list unless given",
    answer: cipherSuites,
  },
  { name: "health-checking", kind: "switch", help: "health on the ext_proc port as well (false)" },
  { name: "drain-timeout", kind: "duration", help: "for exchanges under way after SIGTERM (30s)" },
  { name: "grpc-max-recv-msg-size", kind: "quantity", help: "largest message taken (4Mi)" },
  {
    name: "grpc-max-send-msg-size",
    kind: "quantity",
    help: "largest message sent",
    answer: idle("no message is larger than 64Ki and the headers"),
  },
  {
    name: "disable-endpoint-subset-filter",
    kind: "switch",
    help: "ignore a gateway's subset (false)",
  },
  {
    name: "destination-endpoint-hint-key",
    kind: "text",
    help: "header and metadata key of the destination",
  },
  {
    name: "destination-endpoint-hint-metadata-namespace",
    kind: "text",
    help: "metadata namespace of the destination (envoy.lb)",
  },
  {
    name: "emit-endpoint-scores",
    kind: "switch",
    help: "tell the proxy the candidates' scores, as metadata (false)",
  },
  { name: "refresh-metrics-interval", kind: "duration", help: "between two scrapes (1s)" },
  {
    name: "refresh-prometheus-metrics-interval",
    kind: "duration",
    help: "between two updates of the pool's gauges",
    answer: idle("gauges are read when /metrics is"),
  },
  {
    name: "metrics-staleness-threshold",
    kind: "duration",
    help: "age of metrics that gauges leave out",
    answer: idle("gauges show each endpoint's last scrape"),
  },
  {
    name: "model-server-metrics-scheme",
    kind: "text",
    help: "http or https (http)",
    answer: scheme,
  },
  { name: "model-server-metrics-path", kind: "text", help: "path of the metrics (/metrics)" },
  { name: "model-server-metrics-port", kind: "port", help: "port of the metrics (the endpoint's)" },
  {
    name: "model-server-metrics-https-insecure-skip-verify",
    kind: "switch",
    help: "take any certificate of an engine (true)",
  },
  {
    name: "total-queued-requests-metric",
    kind: "text",
    help: "gauge of waiting requests",
    answer: metricName("vllm:num_requests_waiting"),
  },
  {
    name: "total-running-requests-metric",
    kind: "text",
    help: "gauge of running requests",
    answer: metricName("vllm:num_requests_running"),
  },
  {
    name: "kv-cache-usage-percentage-metric",
    kind: "text",
    help: "gauge of KV-cache usage",
    answer: metricName("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"),
  },
  {
    name: "lora-info-metric",
    kind: "text",
    help: "gauge of LoRA adapters",
    answer: metricName("vllm:lora_requests_info"),
  },
  {
    name: "cache-info-metric",
    kind: "text",
    help: "gauge of the cache's size",
    answer: metricName("vllm:cache_config_info"),
  },
  {
    name: "ha-enable-leader-election",
    kind: "switch",
    help: "one of several replicas leads, by a Lease (false)",
  },
  {
    name: "metrics-endpoint-auth",
    kind: "switch",
    help: "ask the cluster who may read /metrics",
    answer: refusedIfOn("the cluster is not asked; bind with --host, or set it to false"),
  },
  {
    name: "metrics-client-ca-file",
    kind: "text",
    help: "authority of clients of /metrics",
    answer: refused("/metrics is plain HTTP"),
  },
  {
    name: "metrics-cert-dir",
    kind: "text",
    help: "certificate of /metrics",
    answer: refused("/metrics is plain HTTP"),
  },
  {
    name: "enable-pprof",
    kind: "switch",
    help: "Go profiles",
    answer: idleIfOn("this is no Go program; start Node with --inspect to profile it"),
  },
  {
    name: "tracing",
    kind: "switch",
    help: "OpenTelemetry",
    answer: idleIfOn("no traces are written"),
  },
  {
    name: "enable-grpc-stream-metrics",
    kind: "switch",
    help: "metrics of gRPC streams",
    answer: idleIfOn("exchanges are counted, streams are not"),
  },
  {
    name: "allow-experimental-plugins",
    kind: "switch",
    help: "load plugins of alpha stability (false)",
  },
  ...LOG_FLAGS,
];

function scheme(value: string): FlagAnswer | undefined {
  return /^https?$/.test(value) ? undefined : { kind: "refused", why: "must be http or https" };
}
