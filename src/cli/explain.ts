import { Command } from "commander";
import { planEndpoints } from "../app/endpoint-plan.ts";
import { type EndpointState, neutralState, parseEndpointState } from "../app/endpoint-state.ts";
import { type ExplainQuestion, explainRequest } from "../app/explain-request.ts";
import { fetchDecision } from "../app/fetch-decision.ts";
import { findFlips } from "../app/flip.ts";
import { renderDecision, renderDiff, renderFlips } from "../app/render-decision.ts";
import { endpointId } from "../core/brand.ts";
import type { Service } from "../manifest/service.ts";
import { type LoadedInput, loadInput } from "./load-input.ts";
import { collect, wholeNumber } from "./option-values.ts";
import { addPluginFlags, loadOptionsOf, type PluginFlags } from "./plugin-flags.ts";
import { readInput } from "./read-input.ts";
import { UsageError } from "./usage-error.ts";

interface ExplainOptions extends PluginFlags {
  readonly request?: string;
  readonly state?: string;
  readonly diff?: string;
  readonly decision?: string;
  readonly admin: string;
  readonly header: readonly string[];
  readonly seed: number;
  readonly json?: true;
}

const EXAMPLE = `
Example:
  switchyard explain examples/gpt-oss-20b.yaml --request examples/chat.json
  curl -s 127.0.0.1:9090/api/endpoints >state.json
  switchyard explain examples/gpt-oss-20b.yaml --request examples/chat.json --state state.json
  switchyard explain --decision gpt-oss-20b.1`;

/** `explain`: one request, one decision, nothing started. */
export function explainCommand(): Command {
  const command = new Command("explain")
    .description("Show which endpoint one request would be sent to, why, and what would change it.")
    .argument("[config]", "an LLMInferenceService, or an EndpointPickerConfig with --state");
  return addPluginFlags(command)
    .option("--request <file>", "body of a chat or completions request, JSON")
    .option(
      "--state <file>",
      "endpoint state, as /api/endpoints gives it; idle endpoints unless given",
    )
    .option("--diff <config>", "another configuration to compare the decision with")
    .option("--decision <id>", "a decision of a running router instead")
    .option("--admin <url>", "admin address of that router", "http://127.0.0.1:9090")
    .option("--header <name:value>", "request header; may be repeated", collect, [])
    .option("--seed <n>", "seed of the draws among equals", wholeNumber(0, 2 ** 32 - 1), 1)
    .option("--json", "print as JSON")
    .addHelpText("after", EXAMPLE)
    .action((config: string | undefined, options: ExplainOptions) => explain(config, options));
}

async function explain(config: string | undefined, options: ExplainOptions): Promise<void> {
  if (options.decision !== undefined) {
    const decision = await fetchDecision(options.admin, options.decision);
    print(options, decision, () => renderDecision(decision));
    return;
  }
  if (config === undefined || options.request === undefined) {
    throw new UsageError("explain needs a configuration and --request FILE, or --decision ID");
  }
  const loading = await loadOptionsOf(options);
  const input = loadInput(config, loading);
  const question = questionOf(input, { ...options, request: options.request });
  const decision = explainRequest(question);
  if (options.diff !== undefined) {
    const other = loadInput(options.diff, loading);
    const changed = explainRequest({ ...question, config: other.config });
    const names = [input.file, other.file] as const;
    const both = { [names[0]]: decision, [names[1]]: changed };
    print(options, both, () => renderDiff(decision, changed, names));
    return;
  }
  const flips = findFlips(question, decision);
  print(options, { ...decision, flips }, () =>
    [renderDecision(decision), "", renderFlips(flips)].join("\n"),
  );
}

function print(options: ExplainOptions, value: unknown, render: () => string): void {
  console.log(options.json === true ? JSON.stringify(value, null, 2) : render());
}

function questionOf(
  input: LoadedInput,
  options: ExplainOptions & { readonly request: string },
): ExplainQuestion {
  const { service, config } = input;
  const pool = service?.name ?? "pool";
  return {
    pool,
    config,
    modelName: service?.modelName ?? "",
    endpoints: endpointStates(pool, service, options.state),
    request: {
      body: readInput(options.request),
      file: options.request,
      headers: Object.fromEntries(options.header.map(parseHeader)),
    },
    seed: options.seed,
  };
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

function parseHeader(text: string): readonly [string, string] {
  const at = text.indexOf(":");
  if (at < 1) throw new UsageError(`--header ${text}: must be NAME:VALUE`);
  return [text.slice(0, at).trim().toLowerCase(), text.slice(at + 1).trim()];
}
