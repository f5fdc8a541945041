import type { SourceNode } from "../config/source-node.ts";

/** A word of an engine's command line and the value of the manifest that holds it. */
export interface EngineWord {
  readonly text: string;
  readonly node: SourceNode;
}

/** A flag as given; a switch has the value "true". */
export interface EngineFlag {
  /** Dashed, without leading dashes. */
  readonly name: string;
  readonly value: string;
  readonly node: SourceNode;
}

/** Finds the flags of a command line; of a repeated flag the last one counts, as in argparse. */
export function parseEngineFlags(words: readonly EngineWord[]): ReadonlyMap<string, EngineFlag> {
  const flags = new Map<string, EngineFlag>();
  for (const [index, { text, node }] of words.entries()) {
    const match = FLAG.exec(text);
    if (match === null) continue;
    const given = (match[1] ?? "").replaceAll("_", "-");
    const name = SHORT_FLAGS.get(given) ?? given;
    const written = match[2];
    if (!SWITCHES.has(name)) {
      flags.set(name, { name, value: written ?? valueAt(words, index + 1), node });
      continue;
    }
    if (written !== undefined) node.fault(`--${name} takes no value`);
    flags.set(name, { name, value: "true", node });
    flags.delete(name.startsWith("no-") ? name.slice(3) : `no-${name}`);
  }
  return flags;
}

/** `--name`, `--name=value`, `-tp`; vLLM takes dashes and underscores alike. */
const FLAG = /^--?([A-Za-z][\w.-]*)(?:=([\s\S]*))?$/;
const SHORT_FLAGS: ReadonlyMap<string, string> = new Map([
  ["tp", "tensor-parallel-size"],
  ["pp", "pipeline-parallel-size"],
  ["dp", "data-parallel-size"],
]);
/** Flags that never take the next word. */
const SWITCHES: ReadonlySet<string> = new Set([
  "enable-prefix-caching",
  "no-enable-prefix-caching",
]);

/** The next word unless it is a flag itself; a switch of unknown name has none. */
function valueAt(words: readonly EngineWord[], index: number): string {
  const next = words[index]?.text;
  return next === undefined || FLAG.test(next) ? "true" : next;
}
