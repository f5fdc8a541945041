import type { IncomingHttpHeaders } from "node:http";
import { OWN_HEADER_PREFIX, ROUTING_HEADERS } from "../director/dispatch-plan.ts";
import type { ResponseHead } from "./upstream.ts";

// RFC 9110 7.6.1, and the names that proxies of the 1990s left behind.
const HOP_BY_HOP = [
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];
// The upstream client writes its own host and length; a body that is already here expects nothing.
const NOT_FORWARDED = new Set([
  ...HOP_BY_HOP,
  ...ROUTING_HEADERS,
  "host",
  "content-length",
  "expect",
]);
const LENGTH = "content-length";
const NO_TOKENS: ReadonlySet<string> = new Set();
const NOT_RELAYED = new Set(HOP_BY_HOP);

/** What a proxy changes in a head, by lower-case name; undefined removes the header. */
export type HeaderChanges = ReadonlyMap<string, string | undefined>;

/**
 * Name, value, name, value … for an engine: end-to-end headers without anything that steers
 * routing.
 */
export function forwardedHeaders(received: IncomingHttpHeaders, changes: HeaderChanges): string[] {
  const nominated = tokensOf(received.connection);
  const forwarded: string[] = [];
  for (const name of Object.keys(received)) {
    const value = received[name];
    if (value === undefined || NOT_FORWARDED.has(name) || name.startsWith(OWN_HEADER_PREFIX)) {
      continue;
    }
    if (nominated.has(name) || changes.has(name)) continue;
    if (typeof value === "string") forwarded.push(name, value);
    else for (const line of value) forwarded.push(name, line);
  }
  appendChanges(forwarded, changes);
  return forwarded;
}

/** Name, value, name, value … for a client: the engine's end-to-end headers as it spelled them. */
export function relayedHeaders(head: ResponseHead, changes: HeaderChanges): string[] {
  const nominated = tokensOf(head.headers.connection);
  const relayed: string[] = [];
  for (let i = 0; i + 1 < head.rawHeaders.length; i += 2) {
    const name = head.rawHeaders[i] as string;
    const lower = name.toLowerCase();
    if (NOT_RELAYED.has(lower) || lower.startsWith(OWN_HEADER_PREFIX)) continue;
    if (nominated.has(lower) || changes.has(lower)) continue;
    // RFC 9110 8.6: a 204 has no Content-Length, whatever the engine says.
    if (lower === "content-length" && head.status === 204) continue;
    relayed.push(name, head.rawHeaders[i + 1] as string);
  }
  appendChanges(relayed, changes);
  return relayed;
}

/** One value of a header that may have come as several lines. */
export function headerText(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return typeof value === "string" || value === undefined ? value : value.join(", ");
}

/** `content-length` among name, value, name, value …; -1 without one. */
export function declaredBytes(headers: readonly string[]): number {
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] as string;
    if (name.length === LENGTH.length && name.toLowerCase() === LENGTH) {
      return Number(headers[i + 1]);
    }
  }
  return -1;
}

/** Whether an answer is a stream of server-sent events that nobody compressed. */
export function isEventStream(headers: IncomingHttpHeaders): boolean {
  return isOfType(headers, "text/event-stream") && isIdentity(headers);
}

/** Whether an answer is JSON that nobody compressed. */
export function isJson(headers: IncomingHttpHeaders): boolean {
  return isOfType(headers, "application/json") && isIdentity(headers);
}

function appendChanges(headers: string[], changes: HeaderChanges): void {
  for (const [name, value] of changes) if (value !== undefined) headers.push(name, value);
}

function isOfType(headers: IncomingHttpHeaders, type: string): boolean {
  const value = headerText(headers, "content-type");
  if (value === undefined || value === type) return value === type;
  const end = value.indexOf(";");
  return (end === -1 ? value : value.slice(0, end)).trim().toLowerCase() === type;
}

function isIdentity(headers: IncomingHttpHeaders): boolean {
  const coding = headerText(headers, "content-encoding");
  return coding === undefined || coding.toLowerCase() === "identity";
}

function tokensOf(connection: string | string[] | undefined): ReadonlySet<string> {
  if (connection === undefined) return NO_TOKENS;
  const text = typeof connection === "string" ? connection : connection.join(",");
  return new Set(text.split(",").map((token) => token.trim().toLowerCase()));
}
