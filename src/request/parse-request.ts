import { barePath } from "../core/bare-path.ts";
import { modelName, type RequestId } from "../core/brand.ts";
import { invariant } from "../core/invariant.ts";
import type { BlockHasher } from "./block-hasher.ts";
import type { BodyFacts, BodyScanner } from "./body-scanner.ts";
import type { InferenceRequest, RequestKind } from "./inference-request.ts";
import { readJsonMembers } from "./json-members.ts";
import { BytesPrompt } from "./prompt.ts";
import { isRecord, mediaCountOf, promptBytesOf } from "./prompt-bytes.ts";
import { joined, type ReceivedBody } from "./received-body.ts";
import { editMembers, type SpanEdit } from "./span-edit.ts";

/** Headers as a front holds them: lower-case names, several values joined or listed. */
export type RequestHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

/** A received request, before anybody looked into it. */
export interface ReceivedRequest {
  readonly id: RequestId;
  /** Path for the engine, with its query. */
  readonly path: string;
  readonly kind: RequestKind;
  readonly headers: RequestHeaders;
  readonly body: ReceivedBody;
  /** Hosts that may serve it; absent where any may. */
  readonly onlyHosts?: ReadonlySet<string> | undefined;
}

/** The request as scheduling sees it, or what is wrong with it in words that hold none of its content. */
export type ParseResult =
  | { readonly kind: "parsed"; readonly request: InferenceRequest }
  | InvalidBody;

interface InvalidBody {
  readonly kind: "invalid";
  readonly message: string;
  readonly param: string | null;
}

/** Header by which a client asks for one stage alone; `true` is prefill, `false` decode. */
export const STAGE_HEADER = "x-prefill";

const decoder = new TextDecoder("utf-8", { fatal: true });

/** What the path asks for. `path` may carry a query. */
export function kindOf(path: string): RequestKind {
  const bare = barePath(path);
  if (bare === "/v1/chat/completions") return "chat";
  return bare === "/v1/completions" ? "completion" : "other";
}

/**
 * Reads what scheduling needs out of the body; duplicate keys count as JSON.parse counts them, last wins.
 * With a scanner JSON.parse reads only what that leaves to it.
 */
export function parseRequest(
  received: ReceivedRequest,
  hasher: BlockHasher,
  scanner?: BodyScanner,
): ParseResult {
  const misplaced = stageFault(received);
  if (misplaced !== undefined) return misplaced;
  const { body, kind } = received;
  const read = scanner?.scan(body, kind) ?? readBody(body.whole, kind);
  if ("kind" in read) return read;
  const { model, cacheSalt } = read;
  const prompt = new BytesPrompt(read.prompt, { hasher, model, cacheSalt });
  const request: InferenceRequest = {
    id: received.id,
    kind,
    path: received.path,
    model: modelName(model),
    isStreaming: read.isStreaming,
    isUsageStreamed: read.isUsageStreamed,
    maxOutputTokens: read.maxOutputTokens,
    bodyBytes: body.sizeBytes,
    body,
    mediaCount: read.mediaCount,
    prompt,
    onlyHosts: received.onlyHosts,
    header: (name) => headerValue(received.headers, name),
    renamed: (other) => ({
      request: { ...request, model: other, prompt: prompt.forModel(other) },
      edits: modelEdits(body.whole, other),
    }),
  };
  return { kind: "parsed", request };
}

/** A request such as `GET /v1/models`: it names no model and has no prompt. */
export function requestWithoutBody(received: ReceivedRequest, hasher: BlockHasher): ParseResult {
  const misplaced = stageFault(received);
  if (misplaced !== undefined) return misplaced;
  const model = modelName("");
  const request: InferenceRequest = {
    id: received.id,
    kind: "other",
    path: received.path,
    model,
    isStreaming: false,
    isUsageStreamed: false,
    maxOutputTokens: undefined,
    bodyBytes: 0,
    mediaCount: 0,
    prompt: new BytesPrompt(new Uint8Array(), { hasher, model, cacheSalt: undefined }),
    onlyHosts: received.onlyHosts,
    header: (name) => headerValue(received.headers, name),
    renamed: () => ({ request, edits: [] }),
  };
  return { kind: "parsed", request };
}

function stageFault(received: ReceivedRequest): InvalidBody | undefined {
  const stage = headerValue(received.headers, STAGE_HEADER);
  if (stage === undefined || /^(true|false)$/i.test(stage)) return undefined;
  return invalid("X-Prefill must be true or false", null);
}

/** Every duplicate of the key is replaced by one, so that all readers of the body agree. */
function modelEdits(body: Uint8Array, model: string): readonly SpanEdit[] {
  const object = readJsonMembers(body);
  invariant(object !== undefined, "a parsed body is a JSON object");
  return editMembers(object, new Map([["model", JSON.stringify(model)]]));
}

function readBody(bytes: Uint8Array, kind: RequestKind): BodyFacts | InvalidBody {
  const body = decodeBody(bytes);
  if (body === undefined) return invalid("the body is not a JSON object", null);
  const model = body["model"];
  if (typeof model !== "string" || model === "") return invalid("model is missing", "model");
  const prompts = promptBytesOf(kind, body);
  if (typeof prompts === "string") {
    return invalid(prompts, kind === "chat" ? "messages" : "prompt");
  }
  const options = body["stream_options"];
  return {
    model,
    isStreaming: body["stream"] === true,
    isUsageStreamed: isRecord(options) && options["include_usage"] === true,
    maxOutputTokens: positive(body["max_completion_tokens"]) ?? positive(body["max_tokens"]),
    cacheSalt: typeof body["cache_salt"] === "string" ? body["cache_salt"] : undefined,
    mediaCount: kind === "chat" ? mediaCountOf(body["messages"]) : 0,
    prompt: joined(prompts),
  };
}

function decodeBody(bytes: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(decoder.decode(bytes));
    return isRecord(value) ? value : undefined;
  } catch {
    // Not UTF-8 or not JSON: the caller answers 400 without repeating what came.
    return undefined;
  }
}

function headerValue(headers: RequestHeaders, name: string): string | undefined {
  const value = headers[name];
  return typeof value === "object" ? value.join(", ") : value;
}

function positive(value: unknown): number | undefined {
  return typeof value === "number" && Number.isInteger(value) && value > 0 ? value : undefined;
}

function invalid(message: string, param: string | null): InvalidBody {
  return { kind: "invalid", message, param };
}
