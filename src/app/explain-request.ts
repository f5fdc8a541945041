import type { RouterConfig } from "../config/router-config.ts";
import { type ModelName, requestId } from "../core/brand.ts";
import { ConfigError } from "../core/config-error.ts";
import { invariant } from "../core/invariant.ts";
import { noLog } from "../core/log.ts";
import { noMeter } from "../core/meter.ts";
import { BYTES_PER_TOKEN, estimatingTokenizer } from "../core/tokenizer.ts";
import type { PoolRouterCore } from "../director/pool-router-core.ts";
import type { BlockHasher } from "../request/block-hasher.ts";
import type { InferenceRequest } from "../request/inference-request.ts";
import { kindOf, parseRequest, type RequestHeaders } from "../request/parse-request.ts";
import { BytesPrompt } from "../request/prompt.ts";
import { isRecord } from "../request/prompt-bytes.ts";
import { ReceivedBody } from "../request/received-body.ts";
import { WasmBlockHasher } from "../request/wasm-block-hasher.ts";
import type { Decision } from "../scheduling/decision.ts";
import type { EndpointState } from "./endpoint-state.ts";
import { makePoolCore } from "./make-pool-core.ts";
import { DEFAULT_ROUTER_OPTIONS } from "./router-options.ts";

/** One request against one configuration and one state of the endpoints. */
export interface ExplainQuestion {
  readonly pool: string;
  readonly config: RouterConfig;
  /** Empty: any model. */
  readonly modelName: string;
  readonly endpoints: readonly EndpointState[];
  readonly request: {
    readonly body: Uint8Array;
    readonly file: string;
    readonly headers: RequestHeaders;
  };
  readonly seed: number;
}

/** Time of the decision; ages of metrics count back from it. */
const NOW_MS = 1_000_000;
/** vLLM's default: what an engine that reports a prefix has cut it into. */
const REPORTED_BLOCK_TOKENS = 16;

/** What the router would decide, by its own code; nothing is started. Throws ConfigError. */
export function explainRequest(question: ExplainQuestion): Decision {
  const { pool, config, endpoints, seed } = question;
  const hasher = new WasmBlockHasher();
  const { request, prompt } = readRequest(question, hasher);
  const ports = { meter: noMeter, log: noLog, stopwatch: undefined, hasher };
  const core = makePoolCore(
    { key: pool, config, modelName: request.model, ...ports },
    {
      seed,
      prefillCandidates: 2,
      isCorrectingMetrics: true,
      options: DEFAULT_ROUTER_OPTIONS,
      pools: [pool],
    },
  );
  for (const endpoint of endpoints) addEndpoint(core, endpoint, request, prompt);
  core.arrive(request, NOW_MS);
  const [decision] = core.decisions.latest(1);
  invariant(decision !== undefined, "a request that arrived has a decision");
  return decision;
}

function addEndpoint(
  core: PoolRouterCore,
  endpoint: EndpointState,
  request: InferenceRequest,
  prompt: BytesPrompt,
): void {
  const { spec, isReady, metricsAgeMs, values } = endpoint;
  core.endpoint({ kind: "added", endpoint: spec }, NOW_MS);
  const slot = core.slotOf(spec.id);
  invariant(slot !== undefined, "an added endpoint has a slot");
  core.health(slot, isReady, NOW_MS);
  if (values.size > 0) {
    core.metrics(slot, { startedAtMs: NOW_MS - metricsAgeMs, values }, NOW_MS);
  }
  if (endpoint.cachedPrefixBytes > 0) {
    const held = prompt.prefix(endpoint.cachedPrefixBytes);
    core.credit({ ...request, prompt: held }, slot, NOW_MS);
  }
  if (endpoint.reportedPrefixBytes !== undefined) {
    const held = prompt.prefix(endpoint.reportedPrefixBytes);
    const blockBytes = REPORTED_BLOCK_TOKENS * BYTES_PER_TOKEN;
    const blockCount = Math.floor(held.sizeBytes / blockBytes);
    const tokenIds = estimatingTokenizer.tokenize(held.bytes.slice(0, blockCount * blockBytes));
    const blockHashes = Array.from({ length: blockCount }, (_, block) => block);
    const blockTokens = REPORTED_BLOCK_TOKENS;
    const stored = {
      kind: "stored",
      parentHash: undefined,
      blockHashes,
      tokenIds,
      blockTokens,
    } as const;
    core.kvEvents(slot, [{ kind: "cleared" }, stored], NOW_MS);
  }
}

function readRequest(
  { request, modelName }: ExplainQuestion,
  hasher: BlockHasher,
): { request: InferenceRequest; prompt: BytesPrompt } {
  const { body, file, headers } = request;
  const path = pathFor(body);
  const received = {
    id: requestId("explain"),
    path,
    kind: kindOf(path),
    headers,
    body: new ReceivedBody([body]),
  };
  const parsed = parseRequest(received, hasher);
  if (parsed.kind === "invalid") {
    throw new ConfigError([{ path: parsed.param ?? "", message: `${file}: ${parsed.message}` }]);
  }
  const { prompt, model } = parsed.request;
  invariant(prompt instanceof BytesPrompt, "a parsed request has its prompt as bytes");
  if (modelName !== "" && model !== (modelName as ModelName)) {
    const message = `${file} asks for another model`;
    throw new ConfigError([{ path: "model", message, allowed: [modelName] }]);
  }
  return { request: parsed.request, prompt };
}

/** A body with messages is a chat, anything else a completion; a broken one is told by the parser. */
function pathFor(body: Uint8Array): string {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(body));
    if (isRecord(value) && value["messages"] !== undefined) return "/v1/chat/completions";
  } catch {
    // The same text goes to the parser, whose message is the one to show.
  }
  return "/v1/completions";
}
