import { type DestinationStream, pino, stdTimeFunctions } from "pino";
import type { Log, LogFields } from "../core/log.ts";

/** How much is logged, most first. */
export const LOG_LEVELS = ["info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Characters of the fields of one line; longer ones are clipped to a text. */
const FIELDS_CHARACTERS_MAX = 8192;

/** The log port as JSON lines: `level`, `time`, `event` and the fields. */
export function createLog(options: { level: LogLevel; stream: DestinationStream }): Log {
  const settings = {
    level: options.level,
    base: null,
    messageKey: "event",
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const logger = pino(settings, options.stream);
  return {
    info: (event, fields) => logger.info(bounded(fields), event),
    warn: (event, fields) => logger.warn(bounded(fields), event),
    error: (event, fields) => logger.error(bounded(fields), event),
  };
}

function bounded(fields: LogFields = {}): LogFields {
  const text = JSON.stringify(fields);
  if (text.length <= FIELDS_CHARACTERS_MAX) return fields;
  return { clipped: text.slice(0, FIELDS_CHARACTERS_MAX) };
}
