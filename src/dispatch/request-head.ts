import { isHeld } from "./body-writer.ts";
import type { UpstreamRequest } from "./upstream.ts";

// RFC 9110 5.6.2 and 5.5; a line end in any of them would be a header, or a request, of its own.
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const TARGET = /^[\x21-\x7e\x80-\xff]+$/;
// RFC 9110 8.6: a request that could have a body says that it has none.
const BODY_METHODS = new Set(["POST", "PUT", "PATCH"]);

/** Head of a request as it is sent, empty line included; throws on what HTTP cannot carry. */
export function requestHead(request: UpstreamRequest): string {
  const { method, path, address, headers, body } = request;
  if (!TOKEN.test(method) || !TARGET.test(path) || !TARGET.test(address)) {
    throw new Error("method, path or address is malformed");
  }
  let head = `${method} ${path} HTTP/1.1\r\nhost: ${address}\r\nconnection: keep-alive\r\n`;
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] as string;
    const value = headers[i + 1] as string;
    if (!TOKEN.test(name) || !FIELD_VALUE.test(value)) throw new Error("a header is malformed");
    head += `${name}: ${value}\r\n`;
  }
  if (isHeld(body) || (body === undefined && BODY_METHODS.has(method))) {
    const bytes = (body ?? []).reduce((sum, piece) => sum + piece.length, 0);
    head += `content-length: ${bytes}\r\n`;
  } else if (isChunked(request)) {
    head += "transfer-encoding: chunked\r\n";
  }
  return `${head}\r\n`;
}

/** Whether a body is sent in chunks, because nobody knows its length. */
export function isChunked({ headers, body }: UpstreamRequest): boolean {
  return body !== undefined && !isHeld(body) && !hasLength(headers);
}

function hasLength(headers: readonly string[]): boolean {
  return headers.some((name, i) => i % 2 === 0 && name.toLowerCase() === "content-length");
}
