import { z } from "zod";
import type { PluginReference } from "./define-plugin.ts";
import type { Role } from "./plugin-instance.ts";

/** Schema of a parameter that names another instance; an empty name is none, as in llm-d. */
export const instanceName: z.ZodType<string | undefined> = z
  .string()
  .optional()
  .transform((name) => (name === "" ? undefined : name));

/**
 * References to instances of one role, by the parameter that names each; one without name is none.
 */
export function referencesTo(
  role: Role,
  names: Readonly<Record<string, string | undefined>>,
): readonly PluginReference[] {
  return Object.entries(names).flatMap(([path, name]) =>
    name === undefined ? [] : [{ path, name, role }],
  );
}
