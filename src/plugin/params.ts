import type { z } from "zod";
import { ConfigError, type ConfigFault } from "../core/config-error.ts";

/** Decodes parameters by a strict schema; absent parameters are an empty object. */
export function paramsOf<Params>(schema: z.ZodType<Params>): (raw: unknown) => Params {
  return (raw) => {
    const parsed = schema.safeParse(raw ?? {});
    if (parsed.success) return parsed.data;
    throw new ConfigError(parsed.error.issues.flatMap(faultsOf));
  };
}

/** Turns one zod issue into faults with a key path; an unknown key is a fault at that key. */
export function faultsOf(issue: z.core.$ZodIssue): readonly ConfigFault[] {
  const path = keyPath(issue.path);
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      path: path === "" ? key : `${path}.${key}`,
      message: "unknown field",
    }));
  }
  if (issue.code === "invalid_value") {
    return [{ path, message: "unknown value", allowed: issue.values.map(String) }];
  }
  return [{ path, message: issue.message }];
}

/** `["plugins", 2, "type"]` as `plugins[2].type`. */
export function keyPath(keys: readonly PropertyKey[]): string {
  return keys.reduce<string>(
    (path, key) =>
      typeof key === "number"
        ? `${path}[${key}]`
        : path === ""
          ? String(key)
          : `${path}.${String(key)}`,
    "",
  );
}
