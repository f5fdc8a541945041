import { type FileHandle, open } from "node:fs/promises";
import { UsageError } from "./usage-error.ts";

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
