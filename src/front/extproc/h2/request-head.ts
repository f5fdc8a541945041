import type { HeaderField } from "./header-field.ts";

/** What of a request's headers a server needs. */
export interface RequestHead {
  readonly method: string;
  readonly path: string;
  readonly contentType: string;
}

/** Bytes of a header list, counted as RFC 9113 6.5.2 says; told to clients as a setting. */
export const HEADER_LIST_BYTES_MAX: number = 64 * 1024;

/** Fields of a connection, which HTTP/2 has no use for (RFC 9113 8.2.2). */
const OF_CONNECTIONS: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);

const PSEUDO_HEADERS: ReadonlySet<string> = new Set([":method", ":path", ":scheme", ":authority"]);

/** Takes the fields of one header section, and finds whether it is one that HTTP/2 allows. */
export class HeadReader {
  readonly #pseudo = new Map<string, string>();
  #contentType = "";
  #contentLength: number | undefined;
  #hasRegular = false;
  #isMalformed = false;
  #sizeBytes = 0;

  /** Whether more came than is taken; the fields beyond were dropped. */
  get isTooLarge(): boolean {
    return this.#sizeBytes > HEADER_LIST_BYTES_MAX;
  }

  /** Bytes that the body must have; undefined where that is not told. */
  get contentLength(): number | undefined {
    return this.#contentLength;
  }

  take(field: HeaderField): void {
    this.#sizeBytes += field.sizeBytes;
    if (this.isTooLarge) return;
    const { name, value } = field;
    if (!field.isWellFormed || OF_CONNECTIONS.has(name)) this.#isMalformed = true;
    else if (name.startsWith(":")) this.#takePseudo(name, value);
    else {
      this.#hasRegular = true;
      if (name === "content-type") this.#contentType = value;
      else if (name === "content-length") this.#takeLength(value);
      else if (name === "te" && value.toLowerCase() !== "trailers") this.#isMalformed = true;
    }
  }

  /** Undefined for a section that is no request's. */
  request(): RequestHead | undefined {
    const method = this.#pseudo.get(":method");
    const path = this.#pseudo.get(":path") ?? "";
    const isConnect = method === "CONNECT";
    const isWhole = isConnect ? this.#pseudo.size === 2 : this.#pseudo.has(":scheme");
    if (this.#isMalformed || method === undefined || !isWhole || isConnect !== (path === "")) {
      return undefined;
    }
    return { method, path, contentType: this.#contentType };
  }

  /** Whether it may follow a body. */
  isTrailers(): boolean {
    return !this.#isMalformed && this.#pseudo.size === 0;
  }

  #takePseudo(name: string, value: string): void {
    const isRight = PSEUDO_HEADERS.has(name) && !this.#pseudo.has(name) && !this.#hasRegular;
    if (isRight) this.#pseudo.set(name, value);
    else this.#isMalformed = true;
  }

  #takeLength(value: string): void {
    const length = /^\d{1,15}$/.test(value) ? Number(value) : undefined;
    if (length === undefined || (this.#contentLength ?? length) !== length)
      this.#isMalformed = true;
    this.#contentLength = length;
  }
}
