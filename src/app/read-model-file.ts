import { ConfigError } from "../core/config-error.ts";
import type { ModelSpec } from "../engine/model-spec.ts";
import { parseModelSpec } from "../engine/parse-model-spec.ts";

/** A model described by the user, JSON; throws ConfigError naming the file and the field. */
export function readModelFile(source: { text: string; file: string }): ModelSpec {
  let raw: unknown;
  try {
    raw = JSON.parse(source.text);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new ConfigError([{ path: "", message: `${source.file} is not JSON: ${message}` }]);
  }
  try {
    return parseModelSpec(raw);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(
      error.faults.map((fault) => ({ ...fault, message: `${source.file}: ${fault.message}` })),
    );
  }
}
