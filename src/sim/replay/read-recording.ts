import {
  RECORDING_FORMAT,
  RECORDING_VERSION,
  type RecordedLine,
  type RecordingHeader,
} from "../../director/recorded-line.ts";
import { type TraceSource, traceFault } from "../workload/trace-line.ts";
import { recordedLine } from "./recorded-shapes.ts";

/** Where a recording is read from. */
export type RecordingSource = Omit<TraceSource, "isSorted">;

/** A line with its place in the file, from 1. */
export interface PlacedLine {
  readonly line: number;
  readonly read: Exclude<RecordedLine, RecordingHeader>;
}

/** A recording whose header was read. */
export interface OpenRecording {
  readonly header: RecordingHeader;
  readonly lines: AsyncIterable<PlacedLine>;
}

/** Whether the first line of a file begins a recording; of any version, whose reader then says so. */
export function isRecording(firstLine: string): boolean {
  return firstLine.includes(`"format":"${RECORDING_FORMAT}"`);
}

/** Reads the header, and the other lines as they are asked for; throws ConfigError naming a broken line. */
export async function openRecording(source: RecordingSource): Promise<OpenRecording> {
  const lines = placedLines(source);
  const first = await lines.next();
  const header = first.done === true ? undefined : headerOf(source.file, first.value);
  if (header === undefined) throw traceFault(source.file, 1, "the file is empty");
  return { header, lines: bodyLines(source.file, lines, header) };
}

async function* placedLines(
  source: RecordingSource,
): AsyncGenerator<{ readonly line: number; readonly text: string }> {
  let line = 0;
  for await (const text of source.lines) yield { line: ++line, text };
}

async function* bodyLines(
  file: string,
  lines: AsyncIterable<{ readonly line: number; readonly text: string }>,
  { pools }: RecordingHeader,
): AsyncGenerator<PlacedLine> {
  const names = new Set(pools.map(({ pool }) => pool));
  for await (const { line, text } of lines) {
    if (text.trim() === "") continue;
    const read = checked(file, line, decoded(file, line, text));
    if (read.kind === "header") throw traceFault(file, line, "a second header");
    if ("pool" in read && !names.has(read.pool)) {
      throw traceFault(file, line, `pool ${read.pool} is none of ${[...names].join(", ")}`);
    }
    yield { line, read };
  }
}

/** The version is looked at before anything that it might have changed. */
function headerOf(
  file: string,
  { line, text }: { readonly line: number; readonly text: string },
): RecordingHeader {
  const value = decoded(file, line, text) as Partial<RecordingHeader> | null;
  if (value?.kind !== "header" || value.format !== RECORDING_FORMAT) {
    throw traceFault(file, line, `expected a header with "format":"${RECORDING_FORMAT}"`);
  }
  if (value.version !== RECORDING_VERSION) {
    const message = `format version ${JSON.stringify(value.version)}; this program reads ${RECORDING_VERSION}`;
    throw traceFault(file, line, message);
  }
  const header = checked(file, line, value);
  if (header.kind !== "header") throw traceFault(file, line, "expected a header");
  return header;
}

function decoded(file: string, line: number, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw traceFault(file, line, "the line is not JSON; expected one object of a recording");
  }
}

function checked(file: string, line: number, value: unknown): RecordedLine {
  const fault = recordedLine(value, "");
  if (fault !== undefined) throw traceFault(file, line, fault);
  // The shapes have just looked at every member that the type promises.
  return value as RecordedLine;
}
