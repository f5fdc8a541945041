/** What a client may still send, of a stream or of the connection (RFC 9113 5.2). */
export class ReceiveWindow {
  readonly #sizeBytes: number;
  #openBytes: number;
  #freeBytes = 0;

  constructor(sizeBytes: number) {
    this.#sizeBytes = sizeBytes;
    this.#openBytes = sizeBytes;
  }

  /** Bytes came; false when they are more than the client was allowed. */
  take(bytes: number): boolean {
    this.#openBytes -= bytes;
    return this.#openBytes >= 0;
  }

  /** Bytes may come again. Gives what the client is to be told, 0 while it is not worth a frame. */
  free(bytes: number): number {
    this.#freeBytes += bytes;
    if (this.#freeBytes < this.#sizeBytes / 2) return 0;
    const told = this.#freeBytes;
    this.#openBytes += told;
    this.#freeBytes = 0;
    return told;
  }
}
