import { closeSync, openSync, readSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { UsageError } from "./usage-error.ts";

/** Bytes that tell what kind of file it is. */
const START_BYTES = 256;

/** Beginning of a file; empty when it cannot be read, which `traceLines` says in plain words. */
export function traceStart(path: string): string {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch {
    // The same path is opened again for its lines, and what is wrong is told there.
    return "";
  }
  try {
    const bytes = Buffer.alloc(START_BYTES);
    return bytes.toString("utf8", 0, readSync(file, bytes));
  } finally {
    closeSync(file);
  }
}

/** Lines of a file, read as they are asked for; throws UsageError when it cannot be opened. */
export async function* traceLines(path: string): AsyncGenerator<string> {
  let file: FileHandle;
  try {
    file = await open(path);
  } catch (error) {
    throw new UsageError(
      `cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  try {
    yield* file.readLines();
  } finally {
    await file.close();
  }
}
