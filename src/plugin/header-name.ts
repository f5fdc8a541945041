import { z } from "zod";

/** Parameter that names an HTTP header, in lower case as requests hold it (RFC 9110 token). */
export const headerName: z.ZodType<string, string> = z
  .string()
  .trim()
  .toLowerCase()
  .regex(/^[a-z0-9!#$%&'*+.^_`|~-]+$/, "must be the name of a header");
