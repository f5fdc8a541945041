import type { Rejection } from "../../core/rejection.ts";
import type { FrontPool } from "./front-pool.ts";

/** What a request line asks for. Without a pool it concerns all of them. */
export type Route =
  | { readonly kind: "models"; readonly pool: FrontPool | undefined }
  | { readonly kind: "model"; readonly pool: FrontPool | undefined; readonly id: string }
  /** `path` is what the engine is asked for: `/v1/…` with the client's query. */
  | { readonly kind: "inference"; readonly pool: FrontPool | undefined; readonly path: string }
  | {
      readonly kind: "refused";
      readonly rejection: Rejection;
      /** Value of the `Allow` header. */
      readonly allow: string | undefined;
    };

const MODELS_PATH = "/v1/models";

/** Pools named in the text that tells which paths exist. */
const LISTED_POOLS_MAX = 8;

/** Finds what `method target` asks for, in the short form `/v1/…` or in `/<namespace>/<name>/v1/…`. */
export function findRoute(method: string, target: string, pools: readonly FrontPool[]): Route {
  const [path, query] = splitTarget(target);
  if (!isPlainPath(path)) return unknownPath(pools);
  const addressed = addressedPool(path, pools);
  const pool = addressed?.pool;
  const enginePath = addressed?.rest ?? path;
  if (enginePath === MODELS_PATH || enginePath.startsWith(`${MODELS_PATH}/`)) {
    if (method !== "GET" && method !== "HEAD") return wrongMethod("GET, HEAD");
    if (enginePath === MODELS_PATH) return { kind: "models", pool };
    const id = decoded(enginePath.slice(MODELS_PATH.length + 1));
    return id === undefined ? unknownPath(pools) : { kind: "model", pool, id };
  }
  if (!/^\/v1\/./.test(enginePath)) return unknownPath(pools);
  if (method !== "POST") return wrongMethod("POST");
  return { kind: "inference", pool, path: enginePath + query };
}

/** The path of the request target and its query with the question mark, either possibly empty. */
function splitTarget(target: string): readonly [string, string] {
  // RFC 9112 3.2.2: servers accept the absolute form too.
  const local = target.startsWith("/") ? target : target.replace(/^https?:\/\/[^/?#]*/i, "");
  const at = local.indexOf("?");
  return at < 0 ? [local, ""] : [local.slice(0, at), local.slice(at)];
}

/** Visible ASCII without dot segments: an engine that resolves those would be reached outside `/v1`. */
function isPlainPath(path: string): boolean {
  return /^[\x21-\x7e]+$/.test(path) && !/(^|[/\\])(\.|%2e){1,2}([/\\]|$)/i.test(path);
}

function addressedPool(
  path: string,
  pools: readonly FrontPool[],
): { readonly pool: FrontPool; readonly rest: string } | undefined {
  const match = /^\/([^/]+)\/([^/]+)(\/v1\/.*)$/.exec(path);
  if (match === null) return undefined;
  const [, namespaceText = "", nameText = "", rest = ""] = match;
  const namespace = decoded(namespaceText);
  const name = decoded(nameText);
  const pool = pools.find((known) => known.namespace === namespace && known.name === name);
  return pool === undefined ? undefined : { pool, rest };
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    // A malformed escape names nothing that exists.
    return undefined;
  }
}

function wrongMethod(allow: string): Route {
  const message = `this path takes ${allow} only`;
  return { kind: "refused", rejection: { reason: "method-not-allowed", message }, allow };
}

function unknownPath(pools: readonly FrontPool[]): Route {
  const names = pools.slice(0, LISTED_POOLS_MAX).map((pool) => `${pool.namespace}/${pool.name}`);
  const further = pools.length > names.length ? ` and ${pools.length - names.length} more` : "";
  const message =
    "unknown path: there are POST /v1/…, GET /v1/models and /<namespace>/<name>/v1/…" +
    (names.length === 0 ? "" : ` for ${names.join(", ")}${further}`);
  return { kind: "refused", rejection: { reason: "unknown-path", message }, allow: undefined };
}
