import { Command } from "commander";
import { planEndpoints } from "../app/endpoint-plan.ts";
import { type EndpointState, neutralState, parseEndpointState } from "../app/endpoint-state.ts";
import { explainRequest } from "../app/explain-request.ts";
import { renderDecision } from "../app/render-decision.ts";
import { endpointId } from "../core/brand.ts";
import type { Service } from "../manifest/service.ts";
import { loadInput } from "./load-input.ts";
import { wholeNumber } from "./option-values.ts";
import { readInput } from "./read-input.ts";
import { UsageError } from "./usage-error.ts";

interface ExplainOptions {
  readonly request: string;
  readonly state?: string;
  readonly header: readonly string[];
  readonly seed: number;
  readonly json?: true;
}

const EXAMPLE = `
Example:
  switchyard explain examples/gpt-oss-20b.yaml --request examples/chat.json
  curl -s 127.0.0.1:9090/api/endpoints >state.json
  switchyard explain examples/qwen-pd.yaml --request chat.json --state state.json --json`;

/** `explain`: one request, one decision, nothing started. */
export function explainCommand(): Command {
  return new Command("explain")
    .description("Show which endpoint one request would be sent to, and why.")
    .argument("<manifest>", "an LLMInferenceService, or an EndpointPickerConfig with --state")
    .requiredOption("--request <file>", "body of a chat or completions request, JSON")
    .option(
      "--state <file>",
      "endpoint state, as /api/endpoints gives it; idle endpoints unless given",
    )
    .option("--header <name:value>", "request header; may be repeated", collect, [])
    .option("--seed <n>", "seed of the draws among equals", wholeNumber(0, 2 ** 32 - 1), 1)
    .option("--json", "print the decision as JSON")
    .addHelpText("after", EXAMPLE)
    .action((manifest: string, options: ExplainOptions) => explain(manifest, options));
}

function explain(manifest: string, options: ExplainOptions): void {
  const input = loadInput(manifest);
  const service = input.kind === "service" ? input.service : undefined;
  const pool = service?.name ?? "pool";
  const decision = explainRequest({
    pool,
    config: input.kind === "service" ? input.service.config : input.config,
    modelName: service?.modelName ?? "",
    endpoints: endpointStates(pool, service, options.state),
    request: {
      body: readInput(options.request),
      file: options.request,
      headers: Object.fromEntries(options.header.map(parseHeader)),
    },
    seed: options.seed,
  });
  console.log(options.json === true ? JSON.stringify(decision, null, 2) : renderDecision(decision));
}

function endpointStates(
  pool: string,
  service: Service | undefined,
  file: string | undefined,
): readonly EndpointState[] {
  if (file !== undefined) {
    return parseEndpointState({ text: readInput(file).toString("utf8"), file, pool });
  }
  if (service === undefined) {
    throw new UsageError("an EndpointPickerConfig names no endpoints; give them with --state FILE");
  }
  return [service.main, ...(service.prefill === undefined ? [] : [service.prefill])]
    .flatMap((stage) => planEndpoints(pool, stage, stage.replicas))
    .map(({ name, labels }) => neutralState(endpointId(name), labels));
}

function collect(text: string, before: readonly string[]): readonly string[] {
  return [...before, text];
}

function parseHeader(text: string): readonly [string, string] {
  const at = text.indexOf(":");
  if (at < 1) throw new UsageError(`--header ${text}: must be NAME:VALUE`);
  return [text.slice(0, at).trim().toLowerCase(), text.slice(at + 1).trim()];
}
