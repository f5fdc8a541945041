import { createWriteStream, openSync } from "node:fs";
import { unlink } from "node:fs/promises";
import { finished, type Writable } from "node:stream";
import { ConfigError } from "../core/config-error.ts";
import type { Log } from "../core/log.ts";
import type { ClosedRecording, RecordedLine, RecordingHeader } from "../director/recorded-line.ts";

/** Bytes that wait for the disk; what comes when there are more is lost. */
const BUFFER_BYTES_MAX = 64 * 1024 * 1024;
/** One line; a prompt of 64 MiB in blocks of 64 bytes would be more. */
const LINE_BYTES_MAX = 8 * 1024 * 1024;
/** What closing waits for a slow disk. */
const CLOSE_TIMEOUT_MS = 5000;

/** Creates the file, for its owner alone, and writes the header; throws ConfigError when it cannot. */
export function openRecording(file: string, header: RecordingHeader, log: Log): Recording {
  let fd: number;
  try {
    fd = openSync(file, "wx", 0o600);
  } catch (error) {
    throw new ConfigError([{ path: "--record", message: openingFault(file, error) }]);
  }
  const recording = new Recording(createWriteStream(file, { fd }), { file, log });
  recording.write(header);
  return recording;
}

/** Lines on their way to a file. A disk that is full or slow costs lines, never a request. */
export class Recording {
  readonly #stream: Writable;
  readonly #file: string;
  readonly #log: Log;
  readonly #bufferBytesMax: number;
  #lineCount = 0;
  #lostCount = 0;
  /** Lost since the last line that was taken. */
  #gap = 0;
  #hasFailed = false;

  constructor(
    stream: Writable,
    options: { readonly file: string; readonly log: Log; readonly bufferBytesMax?: number },
  ) {
    this.#stream = stream;
    this.#file = options.file;
    this.#log = options.log;
    this.#bufferBytesMax = options.bufferBytesMax ?? BUFFER_BYTES_MAX;
    stream.on("error", (error: Error) => {
      this.#hasFailed = true;
      this.#log.error("recording-failed", { file: this.#file, reason: error.message });
    });
  }

  /** Lines that were not taken. */
  get lostCount(): number {
    return this.#lostCount;
  }

  /** Takes a line or loses it; returns at once. */
  write(line: RecordedLine): void {
    const text = `${JSON.stringify(line)}\n`;
    if (!this.#hasRoom(text)) {
      this.#lost();
      return;
    }
    if (this.#gap > 0)
      this.#stream.write(`${JSON.stringify({ kind: "lost", count: this.#gap })}\n`);
    this.#gap = 0;
    this.#lineCount++;
    this.#stream.write(text);
  }

  /** Writes the last line and waits, not forever, until the disk has it. */
  async close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    finished(this.#stream, () => resolve());
    const closed: ClosedRecording = {
      kind: "closed",
      lines: this.#lineCount,
      lost: this.#lostCount,
    };
    if (!this.#hasFailed) {
      if (this.#gap > 0) {
        this.#stream.write(`${JSON.stringify({ kind: "lost", count: this.#gap })}\n`);
      }
      this.#stream.end(`${JSON.stringify(closed)}\n`);
    }
    const timer = setTimeout(() => this.#stream.destroy(), CLOSE_TIMEOUT_MS);
    await promise;
    clearTimeout(timer);
    const fields = { file: this.#file, lines: this.#lineCount, lost: this.#lostCount };
    if (this.#lostCount > 0 || this.#hasFailed) this.#log.warn("recording-incomplete", fields);
    else this.#log.info("recording-closed", fields);
  }

  /** Removes the file of a router that never started. */
  async discard(): Promise<void> {
    await this.close();
    await unlink(this.#file);
  }

  #hasRoom(text: string): boolean {
    if (this.#hasFailed || text.length > LINE_BYTES_MAX) return false;
    return this.#stream.writableLength + text.length <= this.#bufferBytesMax;
  }

  #lost(): void {
    // Said at the first line of a gap: a log line for each lost one would make things worse.
    if (this.#gap === 0) this.#log.warn("recording-lines-lost", { file: this.#file });
    this.#gap++;
    this.#lostCount++;
  }
}

function openingFault(file: string, error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "EEXIST") return `${file} exists already; a recording replaces no file`;
  return `cannot create ${file}: ${error instanceof Error ? error.message : String(error)}`;
}
