import { stringify } from "yaml";
import { DEFAULT_CONFIG_TEXT, DEFAULT_PD_CONFIG_TEXT } from "../config/default-config.ts";
import type { LoadOptions } from "../config/load-options.ts";
import { loadRouterConfig, readRouterConfig } from "../config/load-router-config.ts";
import type { ConfigNote, RouterConfig } from "../config/router-config.ts";
import type { SourceNode } from "../config/source-node.ts";
import { mainContainer } from "./container.ts";
import type { EngineWord } from "./engine-flags.ts";
import type { PickerConfigSource } from "./service.ts";
import { type ObjectMeta, readTemplated } from "./template-text.ts";

/** The scheduler's configuration and where it was found. */
export interface Picker {
  readonly source: PickerConfigSource;
  /** Undefined when it has faults. */
  readonly config: RouterConfig | undefined;
  /** Where the configuration stands; undefined for the built-in one. */
  readonly root: SourceNode | undefined;
  /** All arguments of the scheduler, that of the configuration included. */
  readonly words: readonly EngineWord[];
}

/** What the scheduler's section is read with. */
export interface PickerContext {
  readonly meta: ObjectMeta;
  readonly options: LoadOptions;
  /** Whether the service has a prefill pool. */
  readonly isSplit: boolean;
  readonly notes: ConfigNote[];
}

/**
 * Finds the `EndpointPickerConfig` of a service: `config.inline`, then an argument, then the
 * built-in one.
 */
export function readPicker(
  spec: SourceNode,
  scheduler: SourceNode | undefined,
  context: PickerContext,
): Picker {
  const { options, notes } = context;
  const args = readArguments(mainContainer(scheduler?.at("template"), notes), context.meta);
  scheduler
    ?.at("config", "ref")
    ?.fault("a ConfigMap cannot be read here: put its text in config.inline");
  const inline = scheduler?.at("config", "inline");
  if (inline !== undefined) {
    if (args.config !== undefined) {
      const message = "this configuration is not used: config.inline comes first";
      notes.push({ message, position: args.config.node.position });
    }
    const source = {
      origin: "inline",
      text: stringify(inline.value),
      arguments: args.rest,
    } as const;
    const config = readRouterConfig(inline, options);
    return { source, config, root: inline, words: args.words };
  }
  if (args.config !== undefined) {
    const { node, text, skipCount } = args.config;
    const [root, second] = node.embedded(text, skipCount);
    second?.fault("one document is expected, this is a second one");
    const source = {
      origin: "argument",
      text: text.slice(skipCount),
      arguments: args.rest,
    } as const;
    const config = root === undefined ? undefined : readRouterConfig(root, options);
    return { source, config, root, words: args.words };
  }
  const text = context.isSplit ? DEFAULT_PD_CONFIG_TEXT : DEFAULT_CONFIG_TEXT;
  notes.push({
    message:
      "no EndpointPickerConfig in router.scheduler (config.inline or --config-text): " +
      "the built-in one is used",
    position: (scheduler ?? spec).position,
  });
  return {
    source: { origin: "default", text, arguments: args.rest },
    config: loadRouterConfig({ ...options, text, file: "built-in configuration" }),
    root: undefined,
    words: args.words,
  };
}

/** The scheduler's arguments, and the configuration among them. */
interface SchedulerArguments {
  readonly words: readonly EngineWord[];
  readonly rest: readonly string[];
  readonly config: ConfigArgument | undefined;
}

/** Text of an argument that holds the configuration from `skipCount` on. */
interface ConfigArgument {
  readonly node: SourceNode;
  readonly text: string;
  readonly skipCount: number;
}

/** Kebab case since GIE 1.0, camel case before; Go's flag package takes one dash or two. */
export const CONFIG_TEXT_FLAG: RegExp = /^--?(?:config-text|configText)(?:=|$)/;
const CONFIG_FILE_FLAG = /^--?(?:config-file|configFile)(?:=|$)/;

function readArguments(container: SourceNode | undefined, meta: ObjectMeta): SchedulerArguments {
  const words: EngineWord[] = [];
  const rest: string[] = [];
  let config: ConfigArgument | undefined;
  let flag: SourceNode | undefined;
  const take = (found: ConfigArgument): void => {
    if (config !== undefined) found.node.fault("a second configuration");
    config ??= found;
  };
  for (const node of container?.at("args")?.items() ?? []) {
    const text = readTemplated(node, meta);
    if (text === undefined) continue;
    words.push({ text, node });
    if (flag !== undefined) {
      take({ node, text, skipCount: 0 });
      flag = undefined;
      continue;
    }
    if (CONFIG_FILE_FLAG.test(text))
      node.fault("a mounted file cannot be read here: put its text in --config-text");
    const [match] = CONFIG_TEXT_FLAG.exec(text) ?? [];
    if (match === undefined) rest.push(text);
    else if (match.endsWith("=")) take({ node, text, skipCount: match.length });
    else flag = node;
  }
  flag?.fault("needs the configuration as the next argument");
  return { words, rest, config };
}
