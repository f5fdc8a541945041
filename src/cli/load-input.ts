import { relative } from "node:path";
import process from "node:process";
import { builtinRegistry } from "../app/builtin-registry.ts";
import { loadRouterConfig } from "../config/load-router-config.ts";
import type { RouterConfig } from "../config/router-config.ts";
import { loadService } from "../manifest/load-service.ts";
import type { Service } from "../manifest/service.ts";
import { readInput } from "./read-input.ts";

/** What a YAML file turned out to be. */
export type LoadedInput =
  | { readonly kind: "service"; readonly service: Service }
  | { readonly kind: "config"; readonly config: RouterConfig };

/** Loads an LLMInferenceService; throws UsageError or ConfigError. */
export function loadManifest(path: string): Service {
  const registry = builtinRegistry();
  return loadService({ text: readInput(path).toString("utf8"), file: shown(path), registry });
}

/** Loads an LLMInferenceService or a bare EndpointPickerConfig, by the `kind` that the text names. */
export function loadInput(path: string): LoadedInput {
  const text = readInput(path).toString("utf8");
  if (/^\s*"?kind"?:\s*"?LLMInferenceService\b/m.test(text)) {
    return { kind: "service", service: loadManifest(path) };
  }
  return {
    kind: "config",
    config: loadRouterConfig({ text, file: shown(path), registry: builtinRegistry() }),
  };
}

/** Errors name the file as the user would: from where they are. */
function shown(path: string): string {
  const fromHere = relative(process.cwd(), path);
  return fromHere.startsWith("..") ? path : fromHere;
}
