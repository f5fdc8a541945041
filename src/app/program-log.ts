import process from "node:process";
import type { Log } from "../core/log.ts";
import { createLog, type LogLevel } from "../telemetry/create-log.ts";

/** Operational log of a program: JSON lines to standard error. */
export function createStderrLog(level: LogLevel): Log {
  return createLog({ level, stream: process.stderr });
}
