import { z } from "zod";
import { definePlugin, type PluginDefinition } from "../../plugin/define-plugin.ts";
import { headerName } from "../../plugin/header-name.ts";
import { paramsOf } from "../../plugin/params.ts";
import { sessionId } from "../../plugin/request-attribute.ts";
import type { InferenceRequest } from "../../request/inference-request.ts";

/** Header that names the session unless the parameters say otherwise (llm-d). */
const DEFAULT_HEADER = "x-session-id";
/**
 * Client text that becomes a key: printable ASCII of bounded length, anything else is no session.
 */
const SESSION_ID = /^[\x20-\x7e]{1,256}$/;

const decodeParams = paramsOf(
  z
    .strictObject({
      headerName: headerName.optional(),
      cookieName: z.string().min(1).optional(),
    })
    .refine((params) => params.headerName === undefined || params.cookieName === undefined, {
      path: ["cookieName"],
      message: "the session is named by headerName already; remove one of them",
    }),
);

/** Says which session a request belongs to, by a header or a cookie of the client. */
export const sessionIdProducer: PluginDefinition = definePlugin({
  type: "session-id-producer",
  stability: "stable",
  state: "none",
  roles: ["produce"],
  produces: [sessionId],
  params: decodeParams,
  create: ({ headerName: header = DEFAULT_HEADER, cookieName }, handle) => ({
    produce(cycle) {
      const { request } = cycle;
      const given =
        cookieName === undefined ? request.header(header) : cookieOf(request, cookieName);
      const id = given?.trim() ?? "";
      if (SESSION_ID.test(id)) cycle.set(sessionId, id, handle.name);
    },
  }),
});

/** Value of the first cookie of that name, without the quotes that RFC 6265 allows around it. */
function cookieOf(request: InferenceRequest, name: string): string | undefined {
  for (const pair of request.header("cookie")?.split(";") ?? []) {
    const equals = pair.indexOf("=");
    if (equals === -1 || pair.slice(0, equals).trim() !== name) continue;
    return pair
      .slice(equals + 1)
      .trim()
      .replace(/^"(.*)"$/, "$1");
  }
  return undefined;
}
