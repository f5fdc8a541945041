import { execFileSync, spawnSync } from "node:child_process";
import { join } from "node:path";

/** The load generator and the engine, compiled for this machine. */
export interface NativeTools {
  readonly load: string;
  readonly upstream: string;
}

/** Compiles both into a folder; undefined where there is no gcc. */
export function nativeTools(folder: string): NativeTools | undefined {
  if (programPath("gcc") === undefined) return undefined;
  const built = (name: string): string => {
    const source = join(import.meta.dirname, "native", `${name}.c`);
    execFileSync("gcc", ["-O2", "-o", join(folder, name), source]);
    return join(folder, name);
  };
  return { load: built("load"), upstream: built("upstream") };
}

/** Where a program is found; servers are outside most users' search path. */
export function programPath(name: string): string | undefined {
  const path = `${process.env["PATH"]}:/usr/sbin:/usr/local/sbin`;
  const { stdout } = spawnSync("which", [name], { env: { ...process.env, PATH: path } });
  return stdout === null ? undefined : stdout.toString().trim() || undefined;
}
