import { readFileSync } from "node:fs";
import { UsageError } from "./usage-error.ts";

/** Files that a person writes are far smaller; a larger one is a mistake. */
const INPUT_BYTES_MAX = 16 * 1024 * 1024;

/** Reads a file whole; throws UsageError with the reason in plain words. */
export function readInput(path: string): Buffer {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw new UsageError(`cannot read ${path}: ${reasonOf(error)}`);
  }
  if (bytes.length > INPUT_BYTES_MAX) throw new UsageError(`${path} is larger than 16 MiB`);
  return bytes;
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOENT") return "there is no such file";
  if (code === "EISDIR") return "it is a directory";
  if (code === "EACCES") return "permission denied";
  return String(error);
}
