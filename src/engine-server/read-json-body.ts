import type { IncomingMessage } from "node:http";
import { isRecord } from "../request/prompt-bytes.ts";
import { type ApiFault, badRequest } from "./api-fault.ts";

/** A decoded object. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** What came of a body; `gone` when the client left while sending. */
export type JsonBody =
  | { readonly kind: "body"; readonly json: JsonObject }
  | { readonly kind: "fault"; readonly fault: ApiFault }
  | { readonly kind: "gone" };

/** Bound on one request's body. */
export const MAX_BODY_BYTES: number = 64 * 2 ** 20;

/** Reads and decodes a body of at most `maxBytes`. */
export async function readJsonBody(
  request: IncomingMessage,
  maxBytes: number = MAX_BODY_BYTES,
): Promise<JsonBody> {
  const bytes = await readBytes(request, maxBytes);
  if (bytes === "gone") return { kind: "gone" };
  if (bytes === "too-large") {
    const message = `The request body is larger than ${maxBytes} bytes.`;
    return { kind: "fault", fault: { status: 413, message, param: null } };
  }
  const json = decode(bytes);
  if (json === undefined) return { kind: "fault", fault: badRequest("JSON decode error") };
  if (isRecord(json)) return { kind: "body", json };
  return { kind: "fault", fault: badRequest("The request body must be a JSON object.") };
}

function readBytes(
  request: IncomingMessage,
  maxBytes: number,
): Promise<Buffer | "gone" | "too-large"> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    request.on("data", (chunk: Buffer) => {
      sizeBytes += chunk.length;
      if (sizeBytes <= maxBytes) {
        chunks.push(chunk);
        return;
      }
      // The rest is read and dropped: closing on a client that still writes would lose the answer.
      chunks.length = 0;
      resolve("too-large");
    });
    request.once("end", () => resolve(Buffer.concat(chunks)));
    // An error is followed by close; a close after the end finds the promise settled.
    request.on("error", () => resolve("gone"));
    request.once("close", () => resolve("gone"));
  });
}

function decode(bytes: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)) as unknown;
  } catch {
    // Not UTF-8 or not JSON; the caller answers 400 without repeating what came.
    return undefined;
  }
}
