/** A header field; `sizeBytes` is what it counts in tables and lists (RFC 7541 4.1). */
export interface HeaderField {
  readonly name: string;
  readonly value: string;
  readonly sizeBytes: number;
  /** Whether name and value are such as HTTP/2 allows (RFC 9113 8.2.1). */
  readonly isWellFormed: boolean;
}

/** Makes a field of received text. */
export function headerField(name: string, value: string): HeaderField {
  return {
    name,
    value,
    sizeBytes: name.length + value.length + FIELD_OVERHEAD_BYTES,
    isWellFormed: NAME.test(name) && VALUE.test(value),
  };
}

const FIELD_OVERHEAD_BYTES = 32;

/** A token in lower case, with the colon of a pseudo-header. */
const NAME = /^:?[!#$%&'*+\-.^_`|~0-9a-z]+$/;

/** No NUL, CR or LF, and no blank at either end. */
const VALUE = /^(?![ \t])[^\0\r\n]*(?<![ \t])$/;

/** RFC 7541 appendix A, without its indexes, which begin with 1. */
const TABLE = `
:authority
:method GET
:method POST
:path /
:path /index.html
:scheme http
:scheme https
:status 200
:status 204
:status 206
:status 304
:status 400
:status 404
:status 500
accept-charset
accept-encoding gzip, deflate
accept-language
accept-ranges
accept
access-control-allow-origin
age
allow
authorization
cache-control
content-disposition
content-encoding
content-language
content-length
content-location
content-range
content-type
cookie
date
etag
expect
expires
from
host
if-match
if-modified-since
if-none-match
if-range
if-unmodified-since
last-modified
link
location
max-forwards
proxy-authenticate
proxy-authorization
range
referer
refresh
retry-after
server
set-cookie
strict-transport-security
transfer-encoding
user-agent
vary
via
www-authenticate
`;

/** Fields that both sides know; the first has index 1. */
export const STATIC_TABLE: readonly HeaderField[] = TABLE.trim()
  .split("\n")
  .map((line) => {
    const [name = "", ...words] = line.split(" ");
    return headerField(name, words.join(" "));
  });
