import { readFile } from "node:fs/promises";
import type { RouterConfig } from "../config/router-config.ts";
import { ConfigError } from "../core/config-error.ts";
import type { Json } from "../core/json.ts";
import type { Log } from "../core/log.ts";
import type { Meter } from "../core/meter.ts";

/** A file whose changes take effect in a running program. */
export interface FileSource<T> {
  readonly file: string;
  /** Its text when the program was started. */
  readonly text: string;
  /** Validates a new text; throws ConfigError. */
  load(text: string): T;
}

/** A file whose changes change a pool's configuration. */
export type ConfigSource = FileSource<RouterConfig>;

/** How the last change of the file went. */
export interface ReloadStatus {
  readonly result: "applied" | "rejected";
  readonly at: string;
  /** Why it was rejected. */
  readonly message: string | null;
}

/** Files are compared this often: mounted ConfigMaps change by links, of which no event comes. */
const LOOK_EVERY_MS = 1000;

/** Watches one file, and applies each text that is valid; an invalid one changes nothing. */
export class FileReload<T> {
  readonly #source: FileSource<T>;
  readonly #noun: "config" | "endpoints";
  readonly #apply: (loaded: T, text: string) => void;
  readonly #log: Log;
  readonly #meter: Meter;
  readonly #timer: NodeJS.Timeout;
  #text: string;
  #isLooking = false;
  #last: ReloadStatus | undefined;
  /** Why the file could not be read, while it cannot. */
  #unreadable: string | undefined;

  constructor(options: {
    source: FileSource<T>;
    /** What the file holds, in log lines and metrics. */
    noun: "config" | "endpoints";
    apply: (loaded: T, text: string) => void;
    log: Log;
    meter: Meter;
  }) {
    this.#source = options.source;
    this.#noun = options.noun;
    this.#apply = options.apply;
    this.#log = options.log;
    this.#meter = options.meter;
    this.#text = options.source.text;
    this.#timer = setInterval(() => void this.#look(), LOOK_EVERY_MS);
  }

  /** Null while the file is as it was at the start. */
  get last(): Json {
    return this.#last === undefined ? null : { ...this.#last };
  }

  /** Why the file cannot be read at present; what was read before stays in effect. */
  get unreadable(): string | null {
    return this.#unreadable ?? null;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      const text = await this.#read();
      if (text !== undefined && text !== this.#text) this.#changed(text);
    } finally {
      this.#isLooking = false;
    }
  }

  /** A file that cannot be read is an editor's half-done save or a lost mount: told once, then waited for. */
  async #read(): Promise<string | undefined> {
    const { file } = this.#source;
    try {
      const text = await readFile(file, "utf8");
      this.#unreadable = undefined;
      return text;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (this.#unreadable === undefined) {
        this.#log.error(`${this.#noun}-unreadable`, { file, reason });
      }
      this.#unreadable = reason;
      return undefined;
    }
  }

  #changed(text: string): void {
    this.#text = text;
    const { file } = this.#source;
    try {
      this.#apply(this.#source.load(text), text);
      this.#done({ result: "applied", at: new Date().toISOString(), message: null });
      this.#log.info(`${this.#noun}-applied`, { file });
    } catch (error) {
      // Only a fault in the file is expected here; anything else is the program's own.
      if (!(error instanceof ConfigError)) throw error;
      const { message } = error;
      this.#done({ result: "rejected", at: new Date().toISOString(), message });
      this.#log.error(`${this.#noun}-rejected`, { file, reason: message });
    }
  }

  #done(status: ReloadStatus): void {
    this.#last = status;
    this.#meter.count(`${this.#noun}-reloads`, { result: status.result });
  }
}
