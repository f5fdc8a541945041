import type { ServerResponse } from "node:http";

/** What vLLM's API server refuses or fails with. */
export interface ApiFault {
  readonly status: 400 | 404 | 405 | 413 | 500;
  readonly message: string;
  /** Field of the body that is wrong. */
  readonly param: string | null;
}

/** A body or a field that vLLM would not take. */
export function badRequest(message: string, param: string | null = null): ApiFault {
  return { status: 400, message, param };
}

// vLLM entrypoints/openai: ErrorInfo {message, type, param, code}, code is the HTTP status.
const TYPES: Readonly<Record<ApiFault["status"], string>> = {
  400: "BadRequestError",
  404: "NotFoundError",
  405: "MethodNotAllowedError",
  413: "BadRequestError",
  500: "InternalServerError",
};

/** The fault as vLLM's error body. */
export function faultJson(fault: ApiFault): object {
  const { message, param, status } = fault;
  return { error: { message, type: TYPES[status], param, code: status } };
}

/** Answers with the fault; the head must not have been sent. */
export function sendFault(response: ServerResponse, fault: ApiFault): void {
  sendJson(response, fault.status, faultJson(fault));
}

/** Answers with a JSON body. */
export function sendJson(response: ServerResponse, status: number, body: object): void {
  const text = Buffer.from(JSON.stringify(body));
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": text.length,
  });
  response.end(text);
}
