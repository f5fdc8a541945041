import type { LoadOptions } from "../config/load-options.ts";
import { loadRouterConfig } from "../config/load-router-config.ts";
import type { RouterConfig } from "../config/router-config.ts";
import { loadService } from "../manifest/load-service.ts";

/** Whether the text is an LLMInferenceService; any other is a bare EndpointPickerConfig. */
export function isServiceText(text: string): boolean {
  return /^\s*"?kind"?:\s*"?LLMInferenceService\b/m.test(text);
}

/** The picker configuration in a text of either kind; throws ConfigError. */
export function loadConfigText(
  source: { readonly text: string; readonly file: string },
  options: LoadOptions,
): RouterConfig {
  return isServiceText(source.text)
    ? loadService({ ...options, ...source }).config
    : loadRouterConfig({ ...options, ...source });
}
