import { relative } from "node:path";
import process from "node:process";
import { isServiceText, loadConfigText } from "../app/load-config-text.ts";
import type { LoadOptions } from "../config/load-options.ts";
import type { RouterConfig } from "../config/router-config.ts";
import { loadService } from "../manifest/load-service.ts";
import type { Service } from "../manifest/service.ts";
import { readInput } from "./read-input.ts";

/** A picker configuration with where it came from; `service` where a manifest holds it. */
export interface LoadedInput {
  readonly config: RouterConfig;
  readonly service: Service | undefined;
  /** Path as shown in messages, and the text that was read. */
  readonly file: string;
  readonly text: string;
  /** Reads another text as the first one was; throws ConfigError. */
  load(text: string): RouterConfig;
}

/** An LLMInferenceService with its file. */
export interface LoadedManifest {
  readonly service: Service;
  readonly file: string;
  readonly text: string;
}

/** Loads an LLMInferenceService; throws UsageError or ConfigError. */
export function loadManifest(path: string, options: LoadOptions): LoadedManifest {
  const text = readInput(path).toString("utf8");
  const file = shownPath(path);
  return { service: loadService({ ...options, text, file }), file, text };
}

/** Loads an LLMInferenceService or a bare EndpointPickerConfig, by the `kind` that the text names. */
export function loadInput(path: string, options: LoadOptions): LoadedInput {
  const text = readInput(path).toString("utf8");
  const file = shownPath(path);
  const load = (changed: string): RouterConfig => loadConfigText({ text: changed, file }, options);
  if (!isServiceText(text)) return { config: load(text), service: undefined, file, text, load };
  const service = loadService({ ...options, text, file });
  return { config: service.config, service, file, text, load };
}

/** Errors name the file as the user would: from where they are. */
export function shownPath(path: string): string {
  const fromHere = relative(process.cwd(), path);
  return fromHere.startsWith("..") ? path : fromHere;
}
