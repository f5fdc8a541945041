import process from "node:process";
import { EXIT } from "./exit.ts";

/** A second Ctrl-C later than this ends the program without draining; an earlier one is an echo. */
const ECHO_MS = 1000;

/**
 * Resolves with the exit code once the program is asked to stop. Ctrl-C may arrive twice, from the
 * terminal's process group and from the npm process in between; a later one means "now".
 */
export function untilStopped(): Promise<number> {
  return new Promise((resolve) => {
    let firstAtMs: number | undefined;
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      process.on(signal, () => {
        const nowMs = Date.now();
        if (firstAtMs !== undefined && nowMs - firstAtMs > ECHO_MS) process.exit(EXIT.interrupted);
        firstAtMs ??= nowMs;
        resolve(EXIT.done);
      });
    }
  });
}
