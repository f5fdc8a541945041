import { z } from "zod";
import { type ProfileName, profileName } from "../core/brand.ts";
import type { PluginReference } from "./define-plugin.ts";
import { headerName } from "./header-name.ts";
import { paramsOf } from "./params.ts";
import { instanceName, referencesTo } from "./plugin-references.ts";

/** Where a session's id is looked for: in a header, or in the attribute that a producer sets. */
export type SessionSource =
  | { readonly kind: "header"; readonly header: string }
  | { readonly kind: "attribute"; readonly producer: string | undefined };

/** Parameters that the session-affinity plugins share. */
export interface SessionAffinityParams {
  readonly strategy: "encoded_endpoint_header" | "session_id";
  /** Profile whose endpoint a session is bound to; the destination when undefined. */
  readonly profileName?: ProfileName | undefined;
  readonly encodedEndpointHeaderConfig: { readonly header: string };
  readonly sessionIdConfig: {
    /** In order of preference. */
    readonly sources: readonly SessionSource[];
    readonly evictionTtlSeconds: number;
    readonly evictionSweepSeconds: number;
  };
}

const source: z.ZodType<SessionSource> = z
  .strictObject({
    header: headerName.optional(),
    /** llm-d's key and our name of the same attribute. */
    attribute: z.enum(["SessionID", "session-id"]).optional(),
    producer: instanceName,
  })
  .refine(({ header, attribute }) => (header === undefined) !== (attribute === undefined), {
    message: "needs either header or attribute",
  })
  .refine(({ header, producer }) => header === undefined || producer === undefined, {
    message: "only an attribute has a producer",
    path: ["producer"],
  })
  .transform(({ header, producer }) =>
    header === undefined ? { kind: "attribute", producer } : { kind: "header", header },
  );

/** Decodes the parameters; only the block of the chosen strategy is used. */
export const sessionAffinityParams: (raw: unknown) => SessionAffinityParams = paramsOf(
  z.strictObject({
    strategy: z.enum(["encoded_endpoint_header", "session_id"]).default("encoded_endpoint_header"),
    profileName: z.string().min(1).transform(profileName).optional(),
    encodedEndpointHeaderConfig: z
      .strictObject({ header: headerName.default("x-session-token") })
      .prefault({}),
    sessionIdConfig: z
      .strictObject({
        sources: z
          .array(source)
          .min(1)
          .prefault([{ header: "x-session-id" }]),
        evictionTtlSeconds: z.number().positive().default(300),
        evictionSweepSeconds: z.number().positive().default(10),
      })
      .prefault({}),
  }),
);

/** Producers that the sources name. */
export function sessionReferences(params: SessionAffinityParams): readonly PluginReference[] {
  if (params.strategy !== "session_id") return [];
  const { sources } = params.sessionIdConfig;
  return referencesTo(
    "produce",
    Object.fromEntries(
      sources.map((from, index) => [
        `sessionIdConfig.sources[${index}].producer`,
        from.kind === "attribute" ? from.producer : undefined,
      ]),
    ),
  );
}

/** A profile that is not configured never gives an endpoint to bind to. */
export function sessionProfilesFault(
  params: SessionAffinityParams,
  profiles: readonly string[],
): string | undefined {
  if (params.profileName === undefined || profiles.includes(params.profileName)) return undefined;
  return `profileName ${params.profileName} is none of the profiles ${profiles.join(", ")}`;
}
