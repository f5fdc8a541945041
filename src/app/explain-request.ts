import type { RouterConfig } from "../config/router-config.ts";
import { requestId } from "../core/brand.ts";
import { ConfigError } from "../core/config-error.ts";
import { invariant } from "../core/invariant.ts";
import { noLog } from "../core/log.ts";
import { noMeter } from "../core/meter.ts";
import { plainBlockHasher } from "../request/block-hasher.ts";
import type { InferenceRequest } from "../request/inference-request.ts";
import { kindOf, parseRequest, type RequestHeaders } from "../request/parse-request.ts";
import { isRecord } from "../request/prompt-bytes.ts";
import type { Decision } from "../scheduling/decision.ts";
import type { EndpointState } from "./endpoint-state.ts";
import { makePoolCore } from "./make-pool-core.ts";
import { DEFAULT_ROUTER_OPTIONS } from "./router-options.ts";

/** One request against one configuration and one state of the endpoints. */
export interface ExplainQuestion {
  readonly pool: string;
  readonly config: RouterConfig;
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

/** What the router would decide, by its own code; nothing is started. Throws ConfigError. */
export function explainRequest(question: ExplainQuestion): Decision {
  const { pool, config, modelName, endpoints, seed } = question;
  const request = readRequest(question);
  const core = makePoolCore({
    key: pool,
    config,
    modelName,
    meter: noMeter,
    log: noLog,
    stopwatch: undefined,
    seed,
    prefillCandidates: 2,
    isCorrectingMetrics: true,
    poolCount: 1,
    options: DEFAULT_ROUTER_OPTIONS,
  });
  for (const { spec, isReady, metricsAgeMs, values } of endpoints) {
    core.endpoint({ kind: "added", endpoint: spec }, NOW_MS);
    const slot = core.slotOf(spec.id);
    invariant(slot !== undefined, "an added endpoint has a slot");
    core.health(slot, isReady, NOW_MS);
    if (values.size > 0) {
      core.metrics(slot, { startedAtMs: NOW_MS - metricsAgeMs, values }, NOW_MS);
    }
  }
  core.arrive(request, NOW_MS);
  const [decision] = core.decisions.latest(1);
  invariant(decision !== undefined, "a request that arrived has a decision");
  return decision;
}

function readRequest({ request, modelName }: ExplainQuestion): InferenceRequest {
  const { body, file, headers } = request;
  const path = pathFor(body);
  const received = { id: requestId("explain"), path, kind: kindOf(path), headers, body };
  const parsed = parseRequest(received, plainBlockHasher);
  if (parsed.kind === "invalid") {
    throw new ConfigError([{ path: parsed.param ?? "", message: `${file}: ${parsed.message}` }]);
  }
  if (modelName !== "" && parsed.request.model !== modelName) {
    const message = `${file} asks for another model`;
    throw new ConfigError([{ path: "model", message, allowed: [modelName] }]);
  }
  return parsed.request;
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
