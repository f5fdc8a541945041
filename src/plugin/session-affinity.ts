import { type EndpointId, endpointId, type ProfileName } from "../core/brand.ts";
import type { EndpointTable } from "../endpoints/endpoint-table.ts";
import type { InferenceRequest } from "../request/inference-request.ts";
import type { Candidates, HandlerCycle, RequestCycle } from "./cycle.ts";
import type { PlanEditor, PluginInstance } from "./plugin-instance.ts";
import { sessionId } from "./request-attribute.ts";
import type { SessionAffinityParams, SessionSource } from "./session-affinity-params.ts";
import { SessionBindings } from "./session-bindings.ts";

/** What binds sessions to endpoints: the hooks that a plugin passes on, and the question that it asks. */
export interface SessionAffinity
  extends Required<Pick<PluginInstance, "onPlan" | "onResponseHead">>,
    Pick<PluginInstance, "dumpState" | "saveState" | "loadState"> {
  /** Endpoint of the request's session; undefined without a session or binding. */
  boundEndpoint(cycle: RequestCycle): EndpointId | undefined;
}

/** Binds sessions by the strategy that the parameters name. */
export function createSessionAffinity(
  params: SessionAffinityParams,
  endpoints: EndpointTable,
): SessionAffinity {
  return params.strategy === "session_id"
    ? bindingsHere(params, endpoints)
    : bindingsAtClients(params, endpoints);
}

/** Index of the candidate with the id, -1 when it is not among them. */
export function candidateIndex(
  endpoints: EndpointTable,
  candidates: Candidates,
  id: EndpointId,
): number {
  for (let i = 0; i < candidates.count; i++) {
    if (endpoints.id(candidates.slots[i] as number) === id) return i;
  }
  return -1;
}

/** The client brings back the endpoint that the last answer named: base64 of its id (llm-d). */
function bindingsAtClients(
  { profileName, encodedEndpointHeaderConfig: { header } }: SessionAffinityParams,
  endpoints: EndpointTable,
): SessionAffinity {
  /** Endpoints of requests under way whose profile is not the destination's; undefined: it picked nobody. */
  const elsewhere = new WeakMap<InferenceRequest, EndpointId | undefined>();
  return {
    boundEndpoint: (cycle) => decodeId(cycle.request.header(header)),
    onPlan(cycle, plan) {
      const slot = slotToBind(cycle, plan, profileName);
      if (slot === plan.primary[0]) return;
      elsewhere.set(cycle.request, slot === undefined ? undefined : endpoints.id(slot));
    },
    onResponseHead({ request, slot }, head) {
      const id = elsewhere.has(request) ? elsewhere.get(request) : endpoints.id(slot);
      if (id !== undefined) head.setHeader(header, encodeId(id));
    },
  };
}

/** The client names its session and this router remembers the endpoint; the answer says nothing. */
function bindingsHere(
  { profileName, sessionIdConfig }: SessionAffinityParams,
  endpoints: EndpointTable,
): SessionAffinity {
  const { sources, evictionTtlSeconds, evictionSweepSeconds } = sessionIdConfig;
  const bindings = new SessionBindings({
    ttlMs: 1000 * evictionTtlSeconds,
    sweepMs: 1000 * evictionSweepSeconds,
  });
  return {
    boundEndpoint(cycle) {
      const session = sessionOf(cycle, sources);
      return session === undefined ? undefined : bindings.find(session, cycle.nowMs);
    },
    onPlan(cycle, plan) {
      const session = sessionOf(cycle, sources);
      const slot = slotToBind(cycle, plan, profileName);
      if (session === undefined || slot === undefined) return;
      const id = endpoints.id(slot);
      const bound = bindings.find(session, cycle.nowMs);
      // A request that went elsewhere does not take its session along while the bound endpoint serves.
      if (bound !== undefined && bound !== id && isServing(endpoints, bound)) return;
      bindings.bind(session, id, cycle.nowMs);
    },
    onResponseHead: () => undefined,
    dumpState: () => ({ boundSessions: bindings.count }),
    saveState: () => bindings,
    loadState(state) {
      if (state instanceof SessionBindings) bindings.adopt(state);
    },
  };
}

function slotToBind(
  cycle: HandlerCycle,
  plan: PlanEditor,
  profile: ProfileName | undefined,
): number | undefined {
  if (profile === undefined) return plan.primary[0];
  const outcome = cycle.outcome(profile);
  return outcome?.kind === "picked" ? outcome.slots[0] : undefined;
}

function isServing(endpoints: EndpointTable, id: EndpointId): boolean {
  for (let slot = 0; slot < endpoints.slotCount; slot++) {
    if (endpoints.isReady(slot) && endpoints.id(slot) === id) return true;
  }
  return false;
}

/** Ids are the client's text and are kept, so they are bounded: 256 printable characters. */
const SESSION = /^[\x20-\x7e]{1,256}$/;

function sessionOf(cycle: RequestCycle, sources: readonly SessionSource[]): string | undefined {
  for (const source of sources) {
    const text =
      source.kind === "header"
        ? cycle.request.header(source.header)
        : cycle.get(sessionId, source.producer);
    const session = text?.trim() ?? "";
    if (SESSION.test(session)) return session;
  }
  return undefined;
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function encodeId(id: EndpointId): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(id)));
}

/** Undefined for what is no base64; what names no endpoint matches none. */
function decodeId(token: string | undefined): EndpointId | undefined {
  if (token === undefined || token === "" || !BASE64.test(token)) return undefined;
  const bytes = Uint8Array.from(atob(token), (char) => char.charCodeAt(0));
  return endpointId(new TextDecoder().decode(bytes));
}
