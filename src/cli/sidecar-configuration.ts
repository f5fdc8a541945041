import { isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument } from "yaml";
import type { FlagSpec } from "../app/flag-spec.ts";
import { FlagReader, type GivenFlags } from "../app/read-flags.ts";
import { nearMiss } from "../config/near-miss.ts";
import { ConfigError, type ConfigFault } from "../core/config-error.ts";

/** A file of flags is far smaller. */
const BYTES_MAX = 1024 * 1024;

/**
 * Reads flags from a YAML object whose keys are their names, as llm-d's sidecar takes it. Throws
 * ConfigError with every fault at its place.
 */
export function readSidecarConfiguration(
  source: { readonly text: string; readonly file: string },
  specs: readonly FlagSpec[],
): GivenFlags {
  const { text, file } = source;
  if (Buffer.byteLength(text) > BYTES_MAX) {
    throw new ConfigError([{ path: "", message: `${file} is larger than 1 MiB` }]);
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  const at = (offset: number): NonNullable<ConfigFault["position"]> => {
    const { line, col } = lines.linePos(offset);
    return { file, line, column: col };
  };
  const reader = new FlagReader(specs);
  for (const error of document.errors) {
    const message = error.message.split("\n", 1)[0] ?? error.code;
    reader.fault({ path: "", position: at(error.pos[0]) }, message);
  }
  const { contents } = document;
  if (document.errors.length > 0) return reader.finish();
  if (contents === null) return reader.finish();
  if (!isMap(contents)) {
    reader.fault({ path: "", position: at(0) }, "must be an object of flags");
    return reader.finish();
  }
  for (const pair of contents.items as readonly Pair<Node, Node | null>[]) {
    takePair(reader, pair, { specs, at });
  }
  return reader.finish();
}

function takePair(
  reader: FlagReader,
  { key, value }: Pair<Node, Node | null>,
  context: {
    readonly specs: readonly FlagSpec[];
    at(offset: number): NonNullable<ConfigFault["position"]>;
  },
): void {
  const name = isScalar(key) ? String(key.value) : "";
  const where = { path: name, position: context.at(key.range?.[0] ?? 0) };
  const spec = name.startsWith("configuration") ? undefined : reader.find(name);
  if (spec === undefined) {
    const names = context.specs.map((known) => known.name);
    reader.fault(where, `unknown flag${nearMiss(name, names)}`);
    return;
  }
  const values = isSeq(value) && spec.kind === "list" ? value.items : [value];
  for (const item of values) {
    const isPlain = isScalar(item) && item.value !== null && typeof item.value !== "object";
    if (isPlain) reader.take(spec, String(item.value), where);
    else
      reader.fault(where, spec.kind === "list" ? "must be a list of texts" : "must be one value");
  }
}
