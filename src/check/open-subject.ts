import type { LoadOptions } from "../config/load-options.ts";
import { loadRouterConfig, throwFaults } from "../config/load-router-config.ts";
import { describeMapping } from "../config/mapping-table.ts";
import { isPoolObject } from "../config/pool-objects.ts";
import type { ConfigNote, RouterConfig } from "../config/router-config.ts";
import type { SourceNode } from "../config/source-node.ts";
import { parseSource, type SourceText } from "../config/source-text.ts";
import type { ConfigFault } from "../core/config-error.ts";
import { invariant } from "../core/invariant.ts";
import { mainContainer } from "../manifest/container.ts";
import { openService } from "../manifest/load-service.ts";
import type { Pool } from "../manifest/service.ts";
import type { Facts } from "./facts.ts";
import { readPicker } from "./picker.ts";
import { readPickerFlags } from "./picker-flags.ts";
import type { Manifest, PoolView, Subject } from "./subject.ts";
import type { Target } from "./targets.ts";

/** How a file is judged. */
export interface CheckOptions extends LoadOptions {
  readonly target: Target;
  readonly facts: Facts;
}

/** A loaded file, and what loading had to say. */
export interface OpenedSubject {
  readonly subject: Subject;
  readonly notes: readonly ConfigNote[];
}

/** Loads an LLMInferenceService or an EndpointPickerConfig; throws ConfigError with every fault. */
export function openSubject(source: SourceText, options: CheckOptions): OpenedSubject {
  const faults: ConfigFault[] = [];
  const documents = parseSource(source, faults);
  throwFaults(faults);
  const isService = documents.some((root) => root.at("kind")?.value === "LLMInferenceService");
  return isService ? openManifest(source, options) : openConfig(source, options);
}

function openManifest(source: SourceText, options: CheckOptions): OpenedSubject {
  const { target, facts } = options;
  const { service, root, pickerRoot, pickerWords } = openService({ ...source, ...options });
  const spec = root.at("spec");
  invariant(spec !== undefined, "a service without spec was loaded");
  const prefill = spec.at("prefill");
  const manifest: Manifest = {
    service,
    root,
    flags: readPickerFlags(pickerWords),
    main: poolView(service.main, spec),
    prefill:
      prefill === undefined || service.prefill === undefined
        ? undefined
        : poolView(service.prefill, prefill),
  };
  const picker = pickerRoot === undefined ? undefined : readPicker(service.config, pickerRoot);
  return {
    subject: { file: source.file, target, facts, picker, manifest },
    notes: [...service.notes, ...notesOf(service.config)],
  };
}

function poolView(pool: Pool, node: SourceNode): PoolView {
  return { pool, node, container: mainContainer(node.at("template"), []) };
}

function openConfig(source: SourceText, options: CheckOptions): OpenedSubject {
  const { target, facts } = options;
  const config = loadRouterConfig({ ...source, ...options });
  const root = parseSource(source, []).find((document) => !isPoolObject(document));
  invariant(root !== undefined, "a configuration without document was loaded");
  const picker = readPicker(config, root);
  return {
    subject: { file: source.file, target, facts, picker, manifest: undefined },
    notes: notesOf(config),
  };
}

/** What loading remarked, older forms that it read as today's included. */
function notesOf({ notes, mappings }: RouterConfig): readonly ConfigNote[] {
  return [
    ...notes,
    ...mappings.map(({ mapping, position }) => ({ message: describeMapping(mapping), position })),
  ];
}
