import { UsageError } from "./usage-error.ts";

/** Turns "the port is taken" and the like into one line that says what to do; other errors pass. */
export function explainListenError(flags: {
  readonly port: number;
  readonly adminPort: number;
}): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof Error) || !("code" in error)) throw error;
    const port = "port" in error ? Number(error.port) : Number.NaN;
    const flag = port === flags.adminPort ? "--admin-port" : "--port";
    if (error.code === "EADDRINUSE") {
      throw new UsageError(`port ${port} is taken; choose another with ${flag}`);
    }
    if (error.code === "EACCES") {
      throw new UsageError(`port ${port} needs more rights; choose one above 1023 with ${flag}`);
    }
    if (error.code === "EADDRNOTAVAIL" || error.code === "ENOTFOUND") {
      throw new UsageError(`this machine has no such address to listen on: ${error.message}`);
    }
    throw error;
  };
}
