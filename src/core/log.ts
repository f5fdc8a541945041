import type { Json } from "./json.ts";

/** Fields of a log line; no prompt text, no unchecked client value. */
export type LogFields = Readonly<Record<string, Json>>;

/** Port for operational log lines; `event` is a noun-action such as `endpoint-added`. */
export interface Log {
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

/** Writes nothing. */
export const noLog: Log = { info: () => undefined, warn: () => undefined, error: () => undefined };
